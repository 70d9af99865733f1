/**
 * The packets of the lab's RTP streams, without their timing noise: a G.711 call (RFC 3551 §4.5.14: 160 octets each 20 ms), one with G.723.1
 * at 5.3 kbit/s (§4.5.3: 20 octets each 30 ms; the codecs of MIP–SIP Table 1), and a video of variable rate, 1.5 Mbit/s on average as in
 * TRIM fig. 8 unless something else is asked for. Frame sizes are drawn from the seed, so every run sends the same.
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

export type MediaStreamKind = 'voice' | 'voice-g723' | 'video';

/** The rate is of video alone. */
export function createMediaStream(
  kind: MediaStreamKind,
  seed: number,
  rateBitsPerSecond: number = usualVideoRate,
): MediaStream {
  switch (kind) {
    case 'voice':
      return new VoiceStream({ payloadType: 8, octets: 160, intervalMs: 20 });
    case 'voice-g723':
      return new VoiceStream({ payloadType: 4, octets: 20, intervalMs: 30 });
    case 'video':
      return new VideoStream(new SeededRandomSource(seed), rateBitsPerSecond);
  }
}

/** Packets of equal length at equal distances. */
class VoiceStream implements MediaStream {
  readonly payloadType: number;
  readonly clockRateHz = 8000;
  readonly #octets: number;
  readonly #intervalMs: number;
  #timestamp = 0;

  constructor(codec: { readonly payloadType: number; readonly octets: number; readonly intervalMs: number }) {
    this.payloadType = codec.payloadType;
    this.#octets = codec.octets;
    this.#intervalMs = codec.intervalMs;
  }

  nextFrame(): MediaFrame {
    const frame = {
      payloadOctets: [this.#octets],
      timestamp: this.#timestamp,
      intervalMs: this.#intervalMs,
    };
    this.#timestamp += (this.clockRateHz * this.#intervalMs) / 1000;
    return frame;
  }
}

const usualVideoRate = 1_500_000;
/** 25 frames a second; each twelfth is an intra frame of three times the mean, the others share what is left of the rate. */
const framesPerSecond = 25;
const groupLength = 12;
/** Fits an MTU of 1280 (RFC 8200 §5) with all headers. */
const largestPayload = 1200;

class VideoStream implements MediaStream {
  readonly payloadType = 96;
  readonly clockRateHz = 90_000;
  readonly #random: RandomSource;
  readonly #intraOctets: number;
  readonly #interOctets: number;
  #frame = 0;

  constructor(random: RandomSource, rateBitsPerSecond: number) {
    const meanOctets = rateBitsPerSecond / 8 / framesPerSecond;
    this.#random = random;
    this.#intraOctets = 3 * meanOctets;
    this.#interOctets = (groupLength * meanOctets - this.#intraOctets) / (groupLength - 1);
  }

  nextFrame(): MediaFrame {
    const isIntra = this.#frame % groupLength === 0;
    const variation = 1 + (isIntra ? 0.2 : 0.5) * (2 * randomFraction(this.#random) - 1);
    const octets = Math.round((isIntra ? this.#intraOctets : this.#interOctets) * variation);
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
