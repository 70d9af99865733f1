/**
 * AVPs into octets (RFC 6733 §4.1), each written straight to where it stands; its length is put in when its end is known. The P bit
 * (end-to-end security that was never specified) is sent clear.
 */
import type { Avp, AvpDefinition, Avps, AvpType, AvpValues } from './avp.ts';
import { writeValue } from './avp-format.ts';
import { mandatoryFlag, vendorFlag } from './avp-header.ts';
import { EncodedAvps } from './encoded-avps.ts';
import { OctetWriter } from './octet-writer.ts';

/** Writes an AVP with the flags that its definition asks for. */
export function writeAvp<Type extends Exclude<AvpType, 'Grouped'>>(
  writer: OctetWriter,
  definition: AvpDefinition<Type>,
  value: AvpValues[Type],
): void {
  const start = openAvp(writer, definition);
  writeValue(definition.type, value, writer);
  closeAvp(writer, start);
}

/** Begins an AVP; what is written until `closeAvp`, which gets the answer, is its data. */
export function openAvp(
  writer: OctetWriter,
  { code, vendor = 0, optional }: AvpDefinition,
  isMandatory: boolean = optional !== true,
): number {
  const start = writer.length;
  writer.uint32(code);
  writer.uint32(((vendor === 0 ? 0 : vendorFlag) | (isMandatory ? mandatoryFlag : 0)) << 24);
  if (vendor !== 0) writer.uint32(vendor);
  return start;
}

export function closeAvp(writer: OctetWriter, start: number): void {
  writer.patchUint24(start + 5, writer.length - start);
  writer.pad();
}

/** Those that are octets already go as they are. */
export function writeAvps(writer: OctetWriter, avps: Avps): void {
  if (avps instanceof EncodedAvps) {
    const { octets, from, to } = avps;
    writer.octets(to - from === octets.length ? octets : octets.subarray(from, to));
    writer.pad();
  } else for (const avp of avps) writeComposed(writer, avp);
}

/** What `write` writes, as AVPs to be sent. */
export function encodeAvps(write: (writer: OctetWriter) => void): EncodedAvps {
  scratch.begin();
  write(scratch);
  const octets = scratch.finish();
  return new EncodedAvps(octets, 0, octets.length);
}

const scratch = new OctetWriter();

function writeComposed(writer: OctetWriter, { definition, mandatory, value }: Avp): void {
  const { type } = definition;
  const start = openAvp(writer, definition, mandatory);
  if (type === 'Grouped') writeAvps(writer, value as Avps);
  else writeValue(type, value, writer);
  closeAvp(writer, start);
}
