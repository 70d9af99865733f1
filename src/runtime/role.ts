/** A role: what one `trimaran` process is in the network (TRIM fig. 2 and 7). One file per role in roles/, its schema in configuration/. */
import type { z } from 'zod';
import type { ControlCommands } from './control-server.ts';
import type { RoleHost } from './role-host.ts';

export interface Role<Configuration> {
  readonly name: string;
  readonly schema: z.ZodType<Configuration>;
  /** Builds the network functions of the role and runs them on the host. Throws TrimaranError when the machine does not allow it. */
  readonly start: (configuration: Configuration, host: RoleHost) => RunningRole<Configuration>;
}

/** `Configuration` matters only to roles that can be given another one while they run. */
export interface RunningRole<Configuration = never> {
  /** Where and how commands talk to it. */
  readonly control?: { readonly path: string; readonly commands: ControlCommands };
  /** Takes over what may change in the configuration while it runs: at SIGHUP, when the file has been read again and is right. */
  reload?(configuration: Configuration): void;
  /** Takes kernel state away, after all functions have said goodbye. */
  readonly close?: () => void | Promise<void>;
}
