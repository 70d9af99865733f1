/**
 * Patterns of header field values as practically every message has them, matched in place (sticky) up to the end of the line. What
 * matches is well-formed for sure and needs no closer look; what does not match is parsed in full and may still be. This is what
 * lets the parser check every routing field of every message and stay fast; a property test holds each pattern against its parser.
 *
 * There must be one way only in which a pattern can match a text: with two ways per address, a list of forty addresses whose last one
 * is wrong would be tried in 2^40 ways. So a space, a digit of a port and an at sign each have one place where they can belong.
 */
const host = String.raw`(?:[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?:[1-5]\d{4}|\d{1,4}))?`;
const value = String.raw`(?:=(?:"[^"\\\r\n]*"|[^\s;,"<>]+))?`;
const parameters = parametersBut();
const uri = String.raw`sips?:(?:[\w.!~*'()%&=+$;?/-]+@)?${host}(?:;[^;?=@\s<>"][^;?@\s<>"]*)*`;
const address = String.raw`(?: ?"[^"\\\r\n]*" ?|[\w.!%*+\x60'~ -]*)<${uri}>`;
const endOfLine = String.raw`\r\n(?![ \t])`;

export const commonVia: RegExp = new RegExp(
  String.raw` ?SIP/2\.0/[A-Z]+ ${host}${parametersWithOne('[bB][rR][aA][nN][cC][hH]')}${endOfLine}`,
  'y',
);
/** From or To. */
export const commonAddress: RegExp = new RegExp(
  `${address}${parametersWithOne('[tT][aA][gG]')}${endOfLine}`,
  'y',
);
export const commonAddressList: RegExp = new RegExp(
  `${address}${parameters}(?:,${address}${parameters})*${endOfLine}`,
  'y',
);
export const commonCSeq: RegExp = new RegExp(String.raw` ?\d{1,9} [A-Z]+${endOfLine}`, 'y');
export const commonCallId: RegExp = new RegExp(
  String.raw` ?[\w.!%*+\x60'~()<>:\\"/?{}@[\]-]+${endOfLine}`,
  'y',
);
export const commonMaxForwards: RegExp = new RegExp(String.raw` ?1?\d{1,2}${endOfLine}`, 'y');
export const commonContentLength: RegExp = new RegExp(String.raw` ?\d{1,5}${endOfLine}`, 'y');
/** A Request-URI up to the space behind it. */
export const commonRequestUri: RegExp = new RegExp(`${uri} `, 'y');

/** Whether `pattern` matches the text right at `start`. */
export function matchesAt(pattern: RegExp, text: string, start: number): boolean {
  pattern.lastIndex = start;
  return pattern.test(text);
}

/** Any, but for those of this name. */
function parametersBut(name?: string): string {
  const excluded = name === undefined ? '' : String.raw`(?!${name}[=;\r])`;
  return String.raw`(?:;${excluded}[\w.!%*+\x60'~-]+${value})*`;
}

/** Any, of which at most one has this name: two are for parameters.ts to refuse. */
function parametersWithOne(name: string): string {
  const others = parametersBut(name);
  return `${others}(?:;${name}${value}${others})?`;
}
