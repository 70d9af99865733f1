/**
 * Lists that are short and mostly empty, of which there are many: all empty ones are one array, and a change makes another list, so that
 * whoever walks through one is not disturbed. (An array that has ever been pushed to keeps room for 17 items; a Map or Set takes 150 octets
 * from the beginning.)
 */
export const emptyList: readonly never[] = Object.freeze([]);

/** With the item behind the others. */
export function withItem<Item>(list: readonly Item[], item: Item): readonly Item[] {
  return list.length === 0 ? [item] : list.concat([item]);
}

/** The same list when it does not hold the item. */
export function withoutItem<Item>(list: readonly Item[], item: Item): readonly Item[] {
  if (!list.includes(item)) return list;
  return list.length === 1 ? emptyList : list.filter((other) => other !== item);
}
