/** A buffer for each copy would take up more than most copies: addresses, tags, descriptions of sessions. */
const room = Buffer.alloc(2048);

/** V8 copies what is shorter whenever it cuts it out or puts it together (`SlicedString::kMinLength`, `ConsString::kMinLength`). */
const leastSharedLength = 13;

/**
 * Text that outlives the message which it came in. Engines cut strings out of others without copying them: a few characters that are kept
 * keep the message alive, and strings put together keep their parts. The copy stands alone. Of latin1, one character per octet, as all text
 * of messages here.
 */
export function ownText(text: string): string {
  if (text.length < leastSharedLength) return text;
  if (text.length > room.length) return Buffer.from(text, 'latin1').toString('latin1');
  return room.toString('latin1', 0, room.write(text, 'latin1'));
}

/** The same for several: one copy that is cut up takes less time than one for each. */
export function ownTexts(texts: readonly string[]): string[] {
  const all = ownText(texts.join(''));
  let end = 0;
  return texts.map((text) => {
    const start = end;
    end += text.length;
    return all.slice(start, end);
  });
}
