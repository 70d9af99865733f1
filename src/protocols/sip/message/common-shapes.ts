/**
 * Patterns of header field values as practically every message has them, matched in place (sticky) up to the end of the line. What
 * matches is well-formed for sure and needs no closer look; what does not match is parsed in full and may still be. This is what
 * lets the parser check every routing field of every message and stay fast; a property test holds each pattern against its parser.
 *
 * There must be one way only in which a pattern can match a text: with two ways per address, a list of forty addresses whose last one
 * is wrong would be tried in 2^40 ways. So a space, a digit of a port and an at sign each have one place where they can belong.
 */
const host = String.raw`(?:[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?:[1-5]\d{4}|\d{1,4}))?`;
const parameters = String.raw`(?:;[\w.!%*+\x60'~-]+(?:=(?:"[^"\\\r\n]*"|[^\s;,"<>]+))?)*`;
const uri = String.raw`sips?:(?:[\w.!~*'()%&=+$;?/-]+@)?${host}(?:;[^;?=@\s<>"][^;?@\s<>"]*)*`;
const address = String.raw`(?: ?"[^"\\\r\n]*" ?|[\w.!%*+\x60'~ -]*)<${uri}>${parameters}`;
/** What parameters.ts allows once in a value; where one is there twice, perhaps in two values, a closer look is needed. */
const repeatsNothing: string = ['[tT][aA][gG]', '[bB][rR][aA][nN][cC][hH]']
  .map((name) => String.raw`(?![^\r]*;${name}(?=[=;,\r])[^\r]*;${name}[=;,\r])`)
  .join('');
const endOfLine = String.raw`\r\n(?![ \t])`;

export const commonVia: RegExp = new RegExp(
  String.raw`${repeatsNothing} ?SIP/2\.0/[A-Z]+ ${host}${parameters}${endOfLine}`,
  'y',
);
export const commonAddress: RegExp = new RegExp(`${repeatsNothing}${address}${endOfLine}`, 'y');
export const commonAddressList: RegExp = new RegExp(
  `${repeatsNothing}${address}(?:,${address})*${endOfLine}`,
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
