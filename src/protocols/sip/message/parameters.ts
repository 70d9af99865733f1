/**
 * Parameters behind a semicolon: of URIs (RFC 3261 §19.1.1) and of header field values (§25.1, generic-param). Names are in lower
 * case; a parameter without a value has the value ''; a quoted value keeps its quotes (`unquote` takes them off).
 */
import { Malformed } from '../../../base/malformed.ts';

export type SipParameters = ReadonlyMap<string, string>;

export const noParameters: SipParameters = new Map();

const parameterPattern =
  /[ \t]*;[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)(?:[ \t]*=[ \t]*("(?:[^"\\]|\\[\s\S])*"|[^\s;,"<>]+))?[ \t]*/y;

/** By which dialogs and transactions are told apart: elements that picked different ones would not agree on whose a message is. */
const identifying: Readonly<Record<string, string>> = { Via: 'branch', From: 'tag', To: 'tag' };

/**
 * Reads `;name=value;name` from `start` to the end of `text`. No name may be there twice (RFC 3261 §7.3.1): the branch of a Via or the tag of
 * a From or To that is makes the value malformed, any other keeps its first value.
 */
export function parseParameters(
  text: string,
  start: number,
  field: string,
  offset = 0,
): SipParameters | Malformed {
  if (start >= text.length) return noParameters;
  const parameters = new Map<string, string>();
  for (let at = start; at < text.length; at = parameterPattern.lastIndex) {
    parameterPattern.lastIndex = at;
    const match = parameterPattern.exec(text);
    if (match === null)
      return new Malformed(field, offset + at, 'RFC 3261 §25.1 generic-param: ;name or ;name=value');
    const name = match[1]!.toLowerCase();
    if (!parameters.has(name)) parameters.set(name, match[2] ?? '');
    else if (identifying[field] === name)
      return new Malformed(field, offset + at, `RFC 3261 §7.3.1: one ${name}`);
  }
  return parameters;
}

export function formatParameters(parameters: SipParameters): string {
  let text = '';
  for (const [name, value] of parameters) text += value === '' ? `;${name}` : `;${name}=${value}`;
  return text;
}

/** The same parameters with one of them set. */
export function withParameter(parameters: SipParameters, name: string, value: string): SipParameters {
  return new Map(parameters).set(name.toLowerCase(), value);
}

export function withoutParameter(parameters: SipParameters, name: string): SipParameters {
  const rest = new Map(parameters);
  rest.delete(name.toLowerCase());
  return rest;
}

/** `"a \"b\""` → `a "b"`; text without quotes is given back as it is. */
export function unquote(text: string): string {
  return text.startsWith('"')
    ? text.slice(1, text.endsWith('"') ? -1 : undefined).replace(/\\([\s\S])/g, '$1')
    : text;
}

export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
