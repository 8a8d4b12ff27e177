import { commonV1 } from '@vhostlab/contracts';
import { z } from 'zod';
import { type PluginBench, refusalOf } from './bench.ts';
import type { PluginCheck } from './check.ts';
import { CheckFailure, must, NotClaimed } from './failure.ts';

const any = (
  id: string,
  title: string,
  requirement: string,
  run: (bench: PluginBench) => Promise<string>,
): PluginCheck => ({ id, title, requirement, depth: 'any', run });

/** Checks of the lifecycle calls, which both depths have. */
export const CONTROL_CHECKS: readonly PluginCheck[] = [
  any(
    'handshake.first',
    'a call before the handshake',
    'Every call before Handshake is refused with FAILED_PRECONDITION.',
    async (bench) => {
      if (!bench.plugin.isFresh) throw new NotClaimed('others have shaken hands at this address before');
      const { client } = bench.connect();
      const { code } = await refusalOf(client.getCapabilities([]), 'GetCapabilities before Handshake');
      must(code === 'FAILED_PRECONDITION', `GetCapabilities before Handshake: ${code}`);
      return code;
    },
  ),
  any(
    'handshake.answer',
    'the handshake names the plugin',
    'Handshake answers name, instance id, the shared versions and the shared clocks.',
    async (bench) => {
      const { client } = bench.connect();
      const answer = await client.handshake(bench.hello());
      must(answer.name !== '', 'name is empty');
      must(answer.instanceId !== '', 'instance_id is empty');
      const versions = answer.protocolVersions.join(', ');
      must(versions === '1', `protocol_versions is ${versions || 'empty'}; the host sent 1`);
      must(
        answer.clocks.length === 1 && answer.clocks[0] === commonV1.Clock.VIRTUAL,
        `clocks is ${answer.clocks.join(', ') || 'empty'}; the host sent virtual`,
      );
      return `${answer.name}, version ${versions}`;
    },
  ),
  any(
    'handshake.newer-host',
    'a host that speaks a newer version too',
    'Of several versions those that both know are answered.',
    async (bench) => {
      const { client } = bench.connect();
      const { protocolVersions } = await client.handshake(bench.hello([2, 1]));
      must(protocolVersions.join() === '1', `protocol_versions is ${protocolVersions.join(', ') || 'empty'}`);
      return 'version 1';
    },
  ),
  any(
    'handshake.no-version',
    'a host with which it shares no version',
    'Handshake is refused with FAILED_PRECONDITION, and the message names both versions.',
    async (bench) => {
      const { client } = bench.connect();
      const { code, message } = await refusalOf(client.handshake(bench.hello([77])), 'version 77');
      must(code === 'FAILED_PRECONDITION', `version 77: ${code}`);
      must(message.includes('77') && message.includes('1'), `the message names no versions: ${message}`);
      return code;
    },
  ),
  any(
    'handshake.no-clock',
    'a host with which it shares no clock',
    'Handshake is refused with FAILED_PRECONDITION.',
    async (bench) => {
      const { client } = bench.connect();
      const { code } = await refusalOf(client.handshake(bench.hello([1], [])), 'no clock');
      must(code === 'FAILED_PRECONDITION', `no clock: ${code}`);
      return code;
    },
  ),
  any(
    'describe.schema',
    'the description has a schema of the configuration',
    'Describe answers the name of the handshake and config_schema_json, which is a JSON Schema.',
    async (bench) => {
      const { client } = await bench.shaken();
      const { name, configSchemaJson, summary } = await client.describe();
      must(name === bench.plugin.name || bench.plugin.depth === 'device', `name is ${JSON.stringify(name)}`);
      must(summary !== '', 'summary is empty');
      try {
        z.fromJSONSchema(JSON.parse(configSchemaJson));
      } catch (error) {
        throw new CheckFailure(`config_schema_json is no JSON Schema: ${(error as Error).message}`);
      }
      return `${configSchemaJson.length} characters`;
    },
  ),
  any(
    'capabilities.list',
    'capabilities are ordered and have reasons',
    'Names are unique and ordered; what is unsupported or required says why.',
    async (bench) => {
      const { client } = await bench.shaken();
      const list = await client.getCapabilities([]);
      for (const [at, { name, support, reason }] of list.entries()) {
        const before = list[at - 1]?.name ?? '';
        must(before < name, `${JSON.stringify(name)} follows ${JSON.stringify(before)}`);
        const silent = support === commonV1.Support.UNSUPPORTED || support === commonV1.Support.REQUIRED;
        must(!silent || reason !== '', `${name} gives no reason`);
        must(support !== commonV1.Support.UNSPECIFIED, `${name} does not say whether it is supported`);
      }
      return `${list.length} capabilities`;
    },
  ),
  any('validate.good', 'a good configuration', 'ValidateConfig answers no error.', async (bench) => {
    const { client } = await bench.shaken();
    const errors = (await client.validateConfig(bench.config())).filter(isError);
    must(errors.length === 0, errors.map(({ field, summary }) => `${field}: ${summary}`).join('; '));
    return 'no error';
  }),
  any(
    'validate.unknown-key',
    'an unknown key',
    'ValidateConfig answers an error whose field is the unknown key.',
    async (bench) => {
      const { client } = await bench.shaken();
      const own = bench.plugin.depth === 'burst';
      const plugin = { name: bench.plugin.name, options: { ...bench.options, no_such_option: 1 } };
      const config = bench.config(own ? { no_such_option: 1 } : { plugin });
      const errors = (await client.validateConfig(config)).filter(isError);
      must(errors.length > 0, 'no_such_option was accepted');
      must(
        errors.some(({ field }) => field.split('.').at(-1) === 'no_such_option'),
        `the field is ${JSON.stringify(errors[0]?.field)}, not no_such_option`,
      );
      return errors[0]?.summary ?? '';
    },
  ),
  any(
    'validate.not-json',
    'a configuration that is not JSON',
    'ValidateConfig answers an error, and no failure of the call.',
    async (bench) => {
      const { client } = await bench.shaken();
      for (const configJson of ['{', '[]', '3']) {
        const errors = (await client.validateConfig({ ...bench.config(), configJson })).filter(isError);
        must(errors.length > 0, `${configJson} was accepted`);
      }
      return 'refused';
    },
  ),
  any(
    'create.refuses',
    'an instance of a wrong configuration',
    'Create is refused with INVALID_ARGUMENT and makes nothing.',
    async (bench) => {
      const { client } = await bench.shaken();
      const config = { ...bench.config(), configJson: '{' };
      const { code } = await refusalOf(client.create(config), 'Create of what is not JSON');
      must(code === 'INVALID_ARGUMENT', `Create of what is not JSON: ${code}`);
      const again = await refusalOf(client.start(config.id), 'Start of what was refused');
      must(again.code === 'NOT_FOUND', `Start of what was refused: ${again.code}`);
      return code;
    },
  ),
  any(
    'create.taken',
    'an id that is taken',
    'Create of an id that exists is refused with ALREADY_EXISTS; the first instance lives on.',
    async (bench) => {
      const { client, id } = await bench.instance();
      const { code } = await refusalOf(client.create(bench.config({}, id)), 'Create of a taken id');
      must(code === 'ALREADY_EXISTS', `Create of a taken id: ${code}`);
      await client.getStatistics(id);
      return code;
    },
  ),
  any(
    'lifecycle.order',
    'start, stop and destroy in every order',
    'Start of a started instance is refused with FAILED_PRECONDITION, Stop of a stopped one succeeds, unknown ids are NOT_FOUND.',
    async (bench) => {
      const { client, id } = await bench.instance();
      const twice = await refusalOf(client.start(id), 'a second Start');
      must(twice.code === 'FAILED_PRECONDITION', `a second Start: ${twice.code}`);
      await client.stop(id);
      await client.stop(id);
      must((await client.start(id)) === commonV1.InstanceState.STARTED, 'Start after Stop: not started');
      await client.destroy(id);
      const gone = await refusalOf(client.destroy(id), 'a second Destroy');
      must(gone.code === 'NOT_FOUND', `a second Destroy: ${gone.code}`);
      const unknown = await refusalOf(client.getStatistics('nobody'), 'GetStatistics of nobody');
      must(unknown.code === 'NOT_FOUND', `GetStatistics of nobody: ${unknown.code}`);
      return 'in order';
    },
  ),
  any(
    'statistics.after-stop',
    'statistics of a stopped instance',
    'Statistics stay readable after Stop, ordered by core and name.',
    async (bench) => {
      const { client, id } = await bench.instance();
      await client.stop(id);
      const { counters } = await client.getStatistics(id);
      const names = counters.map(({ core, name }) => `${core}\u0000${name}`);
      must(names.join() === [...names].sort().join(), `counters are out of order: ${names.join(', ')}`);
      return `${counters.length} counters`;
    },
  ),
];

function isError({ severity }: commonV1.Diagnostic): boolean {
  return severity === commonV1.Severity.ERROR || severity === commonV1.Severity.UNSPECIFIED;
}
