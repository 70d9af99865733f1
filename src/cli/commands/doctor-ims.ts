/** `trimaran doctor ims`: which trigger or hop of somebody's IMS core keeps the application server from being called (docs/ims-integration.md). */
import { imsDiagnosisSchema } from '../../runtime/configuration/ims-diagnosis.ts';
import { loadConfiguration } from '../../runtime/configuration/load-configuration.ts';
import { type HopFinding, ImsDiagnosis } from '../../runtime/ims-diagnosis.ts';
import { type Command, type CommandArguments, usageError } from '../command.ts';
import { type ExitCode, exitCode } from '../exit-code.ts';

export const doctorImsDescription: readonly string[] = [
  'doctor ims looks at an IMS core instead. Beside a running trim-as it registers two test users, lets each call the other, watches the messages at the application server, and says of each hop whether it works: translators, ISC, registration, third-party REGISTER, the triggers of originating and terminating calls, the original dialog identifier, the way back into the core, the addresses of media. It ends with status 1 when a hop failed.',
  'Keys of its configuration file: control (socket of trim-as), application-server, p-cscf, subscriber and peer (each with sip, the address of its test terminal on this machine, and identity: public, private, password or aka, home-domain).',
];

export async function doctorIms(command: Command, options: CommandArguments['options']): Promise<ExitCode> {
  const { config, json } = options;
  if (typeof config !== 'string') throw usageError(command, 'the configuration file is missing');
  const findings: HopFinding[] = [];
  const diagnosis = new ImsDiagnosis(loadConfiguration(config, imsDiagnosisSchema), (finding) => {
    findings.push(finding);
    process.stdout.write(json === true ? `${JSON.stringify(finding)}\n` : lineOf(finding));
  });
  await diagnosis.run();
  const firstFailed = findings.find(({ outcome }) => outcome === 'failed');
  if (json !== true)
    process.stdout.write(
      firstFailed === undefined ? 'Every hop works.\n' : `\n${firstFailed.hop}: ${firstFailed.remedy}\n`,
    );
  return firstFailed === undefined ? exitCode.ok : exitCode.failed;
}

function lineOf({ hop, outcome, detail }: HopFinding): string {
  return `  ${outcome.padEnd(9)}  ${hop.padEnd(42)}  ${detail}\n`;
}
