/**
 * The value of a header line as everybody reads it (RFC 3261 §7.3.1): a line break before white space counts as one space, and the white
 * space of the grammar round the value is taken off. Nothing more: `trim` would hide a vertical tab or a no-break space.
 */
export function unfoldedValue(text: string, valueStart: number, end: number): string {
  let from = valueStart;
  let to = end;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (from < to && isSpace(text.charCodeAt(to - 1))) to--;
  const value = text.slice(from, to);
  return value.includes('\r') ? value.replace(/\r\n[ \t]+/g, ' ') : value;
}

/** Line breaks count too: the line ends in one, and a folded value may begin with one. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}
