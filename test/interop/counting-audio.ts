/**
 * Audio for softphones without sound hardware in which every RTP packet can be told from its neighbours: the sound counts, modulo 32, one tone
 * for each 20 ms, so that a recording shows what was lost, repeated or swapped on the way. 16-bit PCM, mono, 8 kHz (G.711's rate), with the
 * 44-octet header of RIFF WAVE.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const sampleRate = 8000;
const headerOctets = 44;
/** A fifth of full scale: far above comfort noise, far from clipping. */
const amplitude = 6500;
/** One RTP packet of G.711. */
const windowSamples = sampleRate / 50;
/** Whole periods in a window, and within the telephone's 300 to 3400 Hz: no tone shows at another's frequency. */
const tonesHz: readonly number[] = Array.from({ length: 32 }, (_, count) => 300 + 100 * count);

/** `step` tells one side's audio from the other's: 1 counts 0, 1, 2 …; 3 counts 0, 3, 6 … */
export function writeCountingAudio(file: string, { step, seconds }: { step: number; seconds: number }): void {
  const octets = Buffer.alloc(headerOctets + 2 * seconds * sampleRate);
  octets.write('RIFF', 0, 'latin1');
  octets.writeUInt32LE(octets.length - 8, 4);
  octets.write('WAVEfmt ', 8, 'latin1');
  octets.writeUInt32LE(16, 16);
  octets.writeUInt16LE(1, 20);
  octets.writeUInt16LE(1, 22);
  octets.writeUInt32LE(sampleRate, 24);
  octets.writeUInt32LE(2 * sampleRate, 28);
  octets.writeUInt16LE(2, 32);
  octets.writeUInt16LE(16, 34);
  octets.write('data', 36, 'latin1');
  octets.writeUInt32LE(octets.length - headerOctets, 40);
  for (let sample = 0; sample < seconds * sampleRate; sample++) {
    const count = (step * Math.floor(sample / windowSamples)) % tonesHz.length;
    const value = amplitude * Math.sin((2 * Math.PI * (tonesHz[count] ?? 0) * sample) / sampleRate);
    octets.writeInt16LE(Math.round(value), headerOctets + 2 * sample);
  }
  writeFileSync(file, octets);
}

/** What a recording counts, from the first tone to the last; undefined for 20 ms that are silent or no clear tone. */
export function readCounts(file: string): (number | undefined)[] {
  const octets = readFileSync(file).subarray(headerOctets);
  const samples = new Int16Array(Math.floor(octets.length / 2)).map((_, index) =>
    octets.readInt16LE(2 * index),
  );
  const counts = Array.from({ length: Math.floor(samples.length / windowSamples) }, (_, index) =>
    countOf(samples.subarray(index * windowSamples, (index + 1) * windowSamples)),
  );
  const isTone = (count: number | undefined): boolean => count !== undefined;
  return counts.slice(counts.findIndex(isTone), counts.findLastIndex(isTone) + 1);
}

/** Counts at which the one before is not followed by the next. */
export function irregularCounts(counts: readonly (number | undefined)[], step: number): string[] {
  return counts.flatMap((count, index) => {
    const previous = counts[index - 1];
    const isNext = previous !== undefined && count === (previous + step) % tonesHz.length;
    return index === 0 || isNext ? [] : [`${previous} > ${count} after ${index * 20} ms`];
  });
}

function countOf(samples: Int16Array): number | undefined {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0);
  if (power < samples.length * (amplitude / 8) ** 2) return undefined;
  const count = tonesHz.findIndex((frequencyHz) => powerAt(samples, frequencyHz) > power / 2);
  return count === -1 ? undefined : count;
}

/** One term of the Fourier transform, in the unit of the sum of squares. */
function powerAt(samples: Int16Array, frequencyHz: number): number {
  let [real, imaginary] = [0, 0];
  samples.forEach((sample, index) => {
    const angle = (2 * Math.PI * frequencyHz * index) / sampleRate;
    real += sample * Math.cos(angle);
    imaginary += sample * Math.sin(angle);
  });
  return (2 * (real * real + imaginary * imaginary)) / samples.length;
}
