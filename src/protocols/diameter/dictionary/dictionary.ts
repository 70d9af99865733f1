/**
 * What a Diameter node knows by heart: AVPs by (vendor, code) and commands by (application, code, request or answer).
 * A node composes its dictionary from the base protocol and its applications (base.ts, cx.ts, nat-control.ts).
 */
import type { AvpDefinition } from '../avp.ts';

export interface CommandDefinition {
  readonly code: number;
  readonly applicationId: number;
  /** The abbreviation of the request, such as "UAR". */
  readonly name: string;
  /** The P bit: agents may forward it. */
  readonly proxiable: boolean;
  /** AVPs that the request must hold (the {…} of its grammar); what is missing is answered with 5005. */
  readonly required: readonly AvpDefinition[];
}

/** One application as a node supports and advertises it. */
export interface DiameterApplication {
  readonly id: number;
  /** Set for vendor-specific applications, which are advertised inside Vendor-Specific-Application-Id (RFC 6733 §6.11). */
  readonly vendor?: number;
  readonly avps: Readonly<Record<string, AvpDefinition>>;
  readonly commands: Readonly<Record<string, CommandDefinition>>;
}

export class Dictionary {
  readonly #avps = new Map<number, Map<number, AvpDefinition>>();
  /** By application, then by code. */
  readonly #commands = new Map<number, Map<number, CommandDefinition>>();

  constructor(applications: readonly DiameterApplication[]) {
    for (const { id, avps, commands } of applications) {
      for (const definition of Object.values(avps)) this.#add(definition);
      this.#commands.set(id, new Map(Object.values(commands).map((command) => [command.code, command])));
    }
  }

  hasApplication(id: number): boolean {
    return this.#commands.has(id);
  }

  avp(vendor: number, code: number): AvpDefinition | undefined {
    return this.#avps.get(vendor)?.get(code);
  }

  command(applicationId: number, code: number): CommandDefinition | undefined {
    return this.#commands.get(applicationId)?.get(code);
  }

  #add(definition: AvpDefinition): void {
    const vendor = definition.vendor ?? 0;
    const ofVendor = this.#avps.get(vendor) ?? new Map<number, AvpDefinition>();
    ofVendor.set(definition.code, definition);
    this.#avps.set(vendor, ofVendor);
  }
}
