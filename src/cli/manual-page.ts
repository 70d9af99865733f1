/** Formats a command as a manual page of at most 80 columns. */
import { type Command, type CommandOption, helpOption } from './command.ts';
import { exitCodeMeanings } from './exit-code.ts';

const width = 80;
const indent = '    ';

export function formatManualPage(command: Command): string {
  const sections: [string, string[]][] = [
    ['NAME', wrap(`trimaran ${command.name} - ${command.summary}`, indent)],
    ['SYNOPSIS', [`${indent}trimaran ${command.name} ${command.synopsis}`.trimEnd()]],
    ['DESCRIPTION', paragraphs(command.description)],
    ['OPTIONS', [...command.options, helpOption].flatMap(formatOption)],
    ['EXIT STATUS', exitCodeMeanings.map(([code, meaning]) => `${indent}${code}  ${meaning}`)],
    ['EXAMPLES', command.examples.flatMap(formatExample)],
  ];
  return sections.map(([title, lines]) => [title, ...lines].join('\n')).join('\n\n');
}

/** Text in lines of at most `width` columns, each begun by `prefix`. */
export function wrap(text: string, prefix: string): string[] {
  const lines: string[] = [];
  let line = prefix;
  for (const word of text.split(/\s+/)) {
    if (line !== prefix && line.length + 1 + word.length > width) {
      lines.push(line);
      line = prefix;
    }
    line += line === prefix ? word : ` ${word}`;
  }
  return [...lines, line];
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => [...(index > 0 ? [''] : []), ...wrap(text, indent)]);
}

function formatOption(option: CommandOption): string[] {
  const names = [...(option.short ? [`-${option.short}`] : []), `--${option.name}`].join(', ');
  return [
    `${indent}${names}${option.value ? ` ${option.value}` : ''}`,
    ...wrap(option.description, indent + indent),
  ];
}

function formatExample([commandLine, effect]: readonly [string, string]): string[] {
  return [`${indent}${commandLine}`, ...wrap(effect, indent + indent)];
}
