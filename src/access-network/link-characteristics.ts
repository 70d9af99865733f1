/**
 * What one direction of a link does to packets (TRIM fig. 7, the access legs), as data. The same values drive the emulator machine in
 * virtual time, the AF_PACKET emulator in the kernel lab, and netem where the kernel has it.
 */
export interface LinkCharacteristics {
  /** Bits of IP packet per second; absent means not limited. */
  readonly rateBitsPerSecond?: number;
  /** Depth of the token bucket: octets that an idle link passes at once. 0 is a plain line that serialises every packet. */
  readonly burstOctets: number;
  /** Propagation delay of every packet. */
  readonly delayMs: number;
  /** The delay varies uniformly by this much to either side; order is kept, as on a radio bearer with in-sequence delivery. */
  readonly jitterMs: number;
  readonly loss: LossModel;
  /** Octets of IP packet that may wait for the line; one more packet is dropped at the tail. */
  readonly queueLimitOctets: number;
}

export type LossModel =
  | { readonly kind: 'none' }
  | { readonly kind: 'independent'; readonly probability: number }
  /** Two states (Gilbert 1960, Elliott 1963); all four numbers are probabilities per packet. */
  | {
      readonly kind: 'gilbert-elliott';
      readonly goodToBad: number;
      readonly badToGood: number;
      readonly lossInGood: number;
      readonly lossInBad: number;
    };

/** A link that does nothing to packets, to be spread and changed. The queue holds 100 full packets. */
export const perfectLink: LinkCharacteristics = {
  burstOctets: 0,
  delayMs: 0,
  jitterMs: 0,
  loss: { kind: 'none' },
  queueLimitOctets: 150_000,
};
