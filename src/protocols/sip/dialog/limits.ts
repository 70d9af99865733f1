/** How far CSeq goes on above the last known number after a restart: more requests than a dialog sends between two of its journal lines. */
export const sequenceLeap = 65_536;
