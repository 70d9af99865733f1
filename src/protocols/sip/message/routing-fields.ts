/**
 * The check of those header fields by which every element matches, routes and frames messages: nothing behind the parser has to expect
 * them malformed. All others are not judged here: an element should not refuse what it merely passes on (RFC 3261 §16.3 item 1).
 */
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import * as shapes from './common-shapes.ts';
import { parseCSeq } from './cseq.ts';
import { type HeaderName, headerNameOf } from './header-names.ts';
import { parseNameAddress } from './name-address.ts';
import { splitList } from './split-list.ts';
import { unfoldedValue } from './unfolded-value.ts';
import { parseVia } from './via.ts';

export interface FieldCheck {
  /** Of a field that may be present only once (RFC 3261 §7.3.1), one bit of its own; 0 of the others. */
  readonly singleBit: number;
  /** Of the name in full. */
  readonly nameLength: number;
  readonly commonShape: RegExp;
  /** The parser of one value; whether it gives `Malformed` is all that counts. */
  readonly parse: (value: string, offset: number) => unknown;
}

/** By the index of the field's name: what looks small here is asked for every line of every message. */
const checks: (FieldCheck | undefined)[] = [];
for (const [name, singleBit, commonShape, parse] of [
  ['Via', 0, shapes.commonVia, parseVia],
  ['From', 1, shapes.commonAddress, addressParser('From')],
  ['To', 2, shapes.commonAddress, addressParser('To')],
  ['Route', 0, shapes.commonAddressList, addressParser('Route')],
  ['CSeq', 4, shapes.commonCSeq, parseCSeq],
  ['Call-ID', 8, shapes.commonCallId, parseCallId],
  ['Max-Forwards', 16, shapes.commonMaxForwards, parseMaxForwards],
  ['Content-Length', 32, shapes.commonContentLength, parseContentLength],
] as const) {
  const { index } = headerNameOf(name);
  while (checks.length <= index) checks.push(undefined);
  checks[index] = { singleBit, nameLength: name.length, commonShape, parse };
}

/** The check of the routing field of that index; `undefined` for all other fields. */
export function checkOf(index: number): FieldCheck | undefined {
  return checks[index];
}

/** Of a line without the common shape; `undefined` when it is well-formed all the same. Its value is text[valueStart, end), CRLF included. */
export function faultOfLine(
  check: FieldCheck,
  header: HeaderName,
  text: string,
  valueStart: number,
  end: number,
): Malformed | undefined {
  const value = unfoldedValue(text, valueStart, end);
  const values = header.isList ? splitList(value) : [value];
  if (values.length === 0)
    return new Malformed(header.name, valueStart, 'RFC 3261 §25.1: at least one value');
  for (const item of values) {
    const parsed = check.parse(item, valueStart);
    if (isMalformed(parsed)) return parsed;
  }
  return undefined;
}

function addressParser(field: string): FieldCheck['parse'] {
  return (value, offset) => parseNameAddress(value, field, offset);
}

function parseCallId(value: string, offset: number): unknown {
  return /^[^\s]+$/.test(value) ? value : new Malformed('Call-ID', offset, 'RFC 3261 §20.8: a word');
}

function parseMaxForwards(value: string, offset: number): unknown {
  return /^\d+$/.test(value) && Number(value) <= 255
    ? Number(value)
    : new Malformed('Max-Forwards', offset, 'RFC 3261 §20.22: a number from 0 to 255');
}

function parseContentLength(value: string, offset: number): unknown {
  return /^\d+$/.test(value)
    ? Number(value)
    : new Malformed('Content-Length', offset, 'RFC 3261 §20.14: a number');
}
