/**
 * The packets of the lab's RTP streams, without their timing noise: a G.711 call (RFC 3551 §4.5.14: 160 octets each 20 ms) and a video of
 * variable rate, 1.5 Mbit/s on average, as in TRIM fig. 8. Frame sizes are drawn from the seed, so every run sends the same.
 */
import { type RandomSource, randomFraction, SeededRandomSource } from '../../base/random-source.ts';

/** What is sent at one instant: the packets of one frame. */
export interface MediaFrame {
  readonly payloadOctets: readonly number[];
  readonly timestamp: number;
  /** Until the next frame. */
  readonly intervalMs: number;
}

export interface MediaStream {
  readonly payloadType: number;
  readonly clockRateHz: number;
  nextFrame(): MediaFrame;
}

export function createMediaStream(kind: 'voice' | 'video', seed: number): MediaStream {
  return kind === 'voice' ? new VoiceStream() : new VideoStream(new SeededRandomSource(seed));
}

class VoiceStream implements MediaStream {
  readonly payloadType = 8;
  readonly clockRateHz = 8000;
  #timestamp = 0;

  nextFrame(): MediaFrame {
    const frame = { payloadOctets: [160], timestamp: this.#timestamp, intervalMs: 20 };
    this.#timestamp += 160;
    return frame;
  }
}

/** 25 frames a second; each twelfth is an intra frame of three times the mean, the others share what is left of 1.5 Mbit/s. */
const framesPerSecond = 25;
const groupLength = 12;
const meanOctets = 1_500_000 / 8 / framesPerSecond;
const intraOctets = 3 * meanOctets;
const interOctets = (groupLength * meanOctets - intraOctets) / (groupLength - 1);
/** Fits an MTU of 1280 (RFC 8200 §5) with all headers. */
const largestPayload = 1200;

class VideoStream implements MediaStream {
  readonly payloadType = 96;
  readonly clockRateHz = 90_000;
  readonly #random: RandomSource;
  #frame = 0;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  nextFrame(): MediaFrame {
    const isIntra = this.#frame % groupLength === 0;
    const variation = 1 + (isIntra ? 0.2 : 0.5) * (2 * randomFraction(this.#random) - 1);
    const octets = Math.round((isIntra ? intraOctets : interOctets) * variation);
    const timestamp = this.#frame * (this.clockRateHz / framesPerSecond);
    this.#frame += 1;
    return { payloadOctets: splitEvenly(octets), timestamp, intervalMs: 1000 / framesPerSecond };
  }
}

function splitEvenly(octets: number): number[] {
  const packets = Math.ceil(octets / largestPayload);
  return Array.from(
    { length: packets },
    (_, index) => Math.floor((octets * (index + 1)) / packets) - Math.floor((octets * index) / packets),
  );
}
