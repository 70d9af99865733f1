/**
 * Splits a header field value at its commas (RFC 3261 §7.3.1). A comma inside a quoted string or inside angle brackets is part of a
 * value. Empty values are dropped: real cores send them and no field gives them a meaning.
 */
export function splitList(value: string): string[] {
  if (!value.includes(',')) return value === '' ? [] : [value];
  const items: string[] = [];
  for (let start = 0; start <= value.length; ) {
    const end = endOfListItem(value, start);
    const item = value.slice(start, end).trim();
    if (item !== '') items.push(item);
    start = end + 1;
  }
  return items;
}

/** The first item of the list, `undefined` when it has none. */
export function firstListItem(value: string): string | undefined {
  const end = value.includes(',') ? endOfListItem(value, 0) : value.length;
  const item = value.slice(0, end).trim();
  return item === '' ? splitList(value)[0] : item;
}

/** Where the list item that begins at `start` ends: at its comma, or at the end of the value. */
export function endOfListItem(value: string, start: number): number {
  for (let index = start; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code === 0x2c) return index;
    if (code === 0x22) index = endOfQuotedString(value, index);
    else if (code === 0x3c) index = endOfBrackets(value, index);
  }
  return value.length;
}

function endOfBrackets(value: string, start: number): number {
  const end = value.indexOf('>', start);
  return end < 0 ? value.length : end;
}

/** The index of the quote that closes the string opened at `start`, or the length of the text when nothing closes it. */
export function endOfQuotedString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5c) index++;
    else if (code === 0x22) return index;
  }
  return text.length;
}
