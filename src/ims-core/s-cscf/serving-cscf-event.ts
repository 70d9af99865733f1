/** S-CSCF: what its operator may want to know. Identities are public ones; nothing here is secret. */
export type ServingCscfEvent =
  | { readonly kind: 'user-registered'; readonly identity: string; readonly contacts: readonly string[] }
  | {
      readonly kind: 'user-deregistered';
      readonly identity: string;
      readonly cause: 'request' | 'expiry' | 'home-subscriber-server' | 'application-server';
    }
  | { readonly kind: 'authentication-failed'; readonly identity: string }
  /** The HSS sent a profile that breaks its schema: the registration was refused. */
  | { readonly kind: 'user-profile-refused'; readonly identity: string; readonly reason: string }
  | {
      readonly kind: 'application-server-failed';
      readonly server: string;
      readonly identity: string;
      readonly consequence: 'continue' | 'terminate';
    }
  | { readonly kind: 'home-subscriber-server-silent'; readonly identity: string }
  | { readonly kind: 'journal-failed'; readonly identity: string; readonly reason: string }
  /** A line that is not the last cannot be read: a registration may be missing. */
  | { readonly kind: 'journal-damaged'; readonly line: number };
