/**
 * Audio files for softphones without sound hardware: a steady tone to play, and the question for how long a recording holds it. 16-bit
 * PCM, mono, 8 kHz (G.711's rate), with the 44-octet header of RIFF WAVE.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const sampleRate = 8000;
const headerOctets = 44;
/** A fifth of full scale: far above noise and comfort noise, far from clipping. */
const amplitude = 6500;
/** A window holds whole periods of every multiple of 50 Hz, and is one RTP packet of G.711. */
const windowSamples = sampleRate / 50;

export function writeTone(file: string, frequencyHz: number, seconds: number): void {
  const samples = seconds * sampleRate;
  const octets = Buffer.alloc(headerOctets + 2 * samples);
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
  octets.writeUInt32LE(2 * samples, 40);
  for (let index = 0; index < samples; index++)
    octets.writeInt16LE(
      Math.round(amplitude * Math.sin((2 * Math.PI * frequencyHz * index) / sampleRate)),
      headerOctets + 2 * index,
    );
  writeFileSync(file, octets);
}

/** Windows of 20 ms of a recording: whether each holds the tone (most of its power at that frequency) or not. */
export function windowsWithTone(file: string, frequencyHz: number): boolean[] {
  const octets = readFileSync(file).subarray(headerOctets);
  const samples = new Int16Array(Math.floor(octets.length / 2)).map((_, index) =>
    octets.readInt16LE(2 * index),
  );
  return Array.from({ length: Math.floor(samples.length / windowSamples) }, (_, index) =>
    holdsTone(samples.subarray(index * windowSamples, (index + 1) * windowSamples), frequencyHz),
  );
}

/** The power at one frequency (a single term of the Fourier transform) against all of it. */
function holdsTone(samples: Int16Array, frequencyHz: number): boolean {
  let [real, imaginary, power] = [0, 0, 0];
  samples.forEach((sample, index) => {
    const angle = (2 * Math.PI * frequencyHz * index) / sampleRate;
    real += sample * Math.cos(angle);
    imaginary += sample * Math.sin(angle);
    power += sample * sample;
  });
  const atFrequency = (2 * (real * real + imaginary * imaginary)) / samples.length;
  return power > samples.length * (amplitude / 8) ** 2 && atFrequency > power / 2;
}
