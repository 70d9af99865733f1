/**
 * What a command of `trimaran` is: its manual page as data, and what it does. The same option table makes the page and reads the
 * command line, so they cannot differ.
 */
import { parseArgs } from 'node:util';
import { TrimaranError } from '../base/trimaran-error.ts';
import { nearestName } from '../runtime/configuration/nearest-name.ts';
import type { ExitCode } from './exit-code.ts';

export interface CommandOption {
  readonly name: string;
  readonly short?: string;
  /** The placeholder of its value; absent for a switch. */
  readonly value?: string;
  readonly description: string;
}

export interface CommandArguments {
  /** By option name: the value, or true for a switch. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly operands: readonly string[];
  /** What stands behind "--". */
  readonly program: readonly string[];
}

export interface Command {
  readonly name: string;
  /** One line, beginning with a verb in lower case. */
  readonly summary: string;
  /** After the name, such as "-c FILE [OPTION]…". */
  readonly synopsis: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly options: readonly CommandOption[];
  readonly operands?: { readonly minimum: number; readonly maximum: number };
  /** Command lines and what each does. */
  readonly examples: readonly (readonly [string, string])[];
  readonly run: (args: CommandArguments) => Promise<ExitCode>;
}

export const jsonOption: CommandOption = {
  name: 'json',
  description: 'Write JSON instead of text for people, one value per line.',
};

export const helpOption: CommandOption = { name: 'help', short: 'h', description: 'Show this page.' };

/** Throws USAGE, with what was probably meant. */
export function parseCommandLine(command: Command, args: readonly string[]): CommandArguments {
  const options = [...command.options, helpOption];
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      options.map(({ name, short, value }) => [
        name,
        { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short && { short }) },
      ]),
    ),
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const values: Record<string, string | boolean> = {};
  const operands: string[] = [];
  const program: string[] = [];
  let isBehind = false;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') isBehind = true;
    if (token.kind === 'positional') (isBehind ? program : operands).push(token.value);
    if (token.kind !== 'option') continue;
    const option = options.find(({ name }) => name === token.name);
    if (option === undefined) throw unknownOption(command, token.rawName, options);
    values[option.name] = optionValue(command, option, token.value);
  }
  const { minimum, maximum } = command.operands ?? { minimum: 0, maximum: 0 };
  if (values['help'] !== true && (operands.length < minimum || operands.length > maximum))
    throw usageError(
      command,
      operands.length < minimum
        ? 'an argument is missing'
        : `"${operands[maximum]}" is one argument too many`,
    );
  return { options: values, operands, program };
}

export function usageError(command: Command, message: string): TrimaranError {
  return new TrimaranError('USAGE', message, {
    remedy: `Usage: trimaran ${command.name} ${command.synopsis} (more: trimaran ${command.name} --help)`,
  });
}

function optionValue(command: Command, option: CommandOption, value: string | undefined): string | true {
  if (option.value === undefined) {
    if (value !== undefined) throw usageError(command, `--${option.name} takes no value`);
    return true;
  }
  if (value === undefined) throw usageError(command, `--${option.name} needs a value: ${option.value}`);
  return value;
}

function unknownOption(command: Command, rawName: string, options: readonly CommandOption[]): TrimaranError {
  const nearest = nearestName(
    rawName.replace(/^-+/, ''),
    options.map(({ name }) => name),
  );
  return usageError(
    command,
    `unknown option ${rawName}${nearest === undefined ? '' : ` (did you mean --${nearest}?)`}`,
  );
}
