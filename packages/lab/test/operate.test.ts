import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContractError, type Role } from '@vhostlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  LabFolder,
  type LabState,
  mermaidOf,
  type Placement,
  planActions,
  readLabFile,
  runKeyOf,
  Supervisor,
  stateOf,
  thisProcess,
  UsageError,
  type WantedLab,
} from '../src/index.ts';
import { describeActions } from '../src/operate/actions.ts';
import { CERTIFICATE_HOLDERS, makeCertificates } from '../src/operate/certs.ts';
import { Watchdog } from '../src/operate/watchdog.ts';
import { logHash } from './support/log-hash.ts';
import { noTracing, profile, runRows, serveCommand } from './support/run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function wanted(placement: string, more = ''): WantedLab {
  const text = `schema: 1\nname: test\nsystem: {workloads: [pvp], traffic: {packets: 100}}\nroles: {backends: [vhost-user]}\nplacement: ${placement}\n${more}`;
  const file = join(folder, 'test.lab.yaml');
  return { file, text, vars: {}, description: readLabFile(text, file) };
}

function open(lab: WantedLab): { labFolder: LabFolder; supervisor: Supervisor } {
  const labFolder = new LabFolder(folder, 'test');
  labFolder.make();
  const supervisor = new Supervisor(lab, {
    folder: labFolder,
    tracing: noTracing,
    command: serveCommand,
    security: {},
    remoteSecurity: {},
    loadProfile: async () => profile,
    versions: {},
    endpointReadyMs: 300,
  });
  return { labFolder, supervisor };
}

async function until(what: () => boolean): Promise<void> {
  await expect.poll(what, { timeout: 20_000, interval: 20 }).toBe(true);
}

describe('actions', () => {
  const lines = (present: Parameters<typeof planActions>[0], lab: WantedLab) =>
    describeActions(planActions(present, lab), lab);
  const at = (lab: WantedLab) =>
    new Map(Object.entries(lab.description.topology.services)) as Map<Role, Placement>;

  it('start everything in the order of dependencies, and then run', () => {
    expect(lines({ services: new Map(), runKey: undefined, isRunning: false }, wanted('process'))).toEqual([
      'start nic0 (nic, process)',
      'start switch0 (switch, process)',
      'start backend0 (backend, process)',
      'start guest0 (guest, process)',
      'run pvp/vhost-user',
    ]);
  });

  it('are none when nothing differs', () => {
    const lab = wanted('process');
    expect(lines({ services: at(lab), runKey: runKeyOf(lab), isRunning: true }, lab)).toEqual([]);
  });

  it('touch only what differs', () => {
    const before = wanted('process');
    const after = wanted('{default: process, nodes: {nic0: {endpoint: "h:1"}}}');
    expect(lines({ services: at(before), runKey: runKeyOf(before), isRunning: true }, after)).toEqual([
      'interrupt the present run',
      'stop nic0 (nic, process)',
      'join nic0 (nic, endpoint h:1)',
      'run pvp/vhost-user',
    ]);
    const seeded = wanted('process', 'time: {seed: 9}\n');
    expect(lines({ services: at(before), runKey: runKeyOf(before), isRunning: false }, seeded)).toEqual([
      'run pvp/vhost-user',
    ]);
    expect(lines({ services: at(after), runKey: undefined, isRunning: false }, before)[0]).toBe(
      'leave nic0 (nic, endpoint h:1)',
    );
  });
});

describe('a supervisor', () => {
  it('runs an embedded lab to the log that compare writes, and again when its file has changed', async () => {
    let hash = '';
    const options = {
      workloads: ['pvp' as const],
      backends: ['vhost-user' as const],
      packets: 100,
      samples: 1000,
    };
    await runRows(options, {
      use: (outcome) => {
        hash = logHash(outcome);
      },
    });
    const { supervisor, labFolder } = open(wanted('embedded'));
    await supervisor.apply(wanted('embedded'));
    expect(supervisor.state.nodes.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready', 'ready']);
    await until(() => supervisor.state.phase === 'complete');
    expect(supervisor.state.event_log_sha256).toBe(hash);
    expect(supervisor.state.runs).toMatchObject([
      { state: 'complete', packets: 100, delivered: 100, dropped: 0 },
    ]);
    expect(stateOf(labFolder).state.event_log_sha256).toBe(hash);

    expect(supervisor.plan(wanted('embedded'))).toEqual([]);
    const longer = `system: {workloads: [pvp], traffic: {packets: 120}}`;
    const changed = wanted('embedded');
    changed.description = readLabFile(changed.text.replace(/system:.*/, longer), changed.file);
    await supervisor.apply(changed);
    await until(() => supervisor.state.phase === 'complete');
    expect(supervisor.state.runs[0].delivered).toBe(120);
    expect(await supervisor.down()).toEqual(['ended guest, backend, switch, nic (embedded)']);
    expect(await supervisor.ended).toBeUndefined();
    expect(labFolder.readState()?.phase).toBe('ended');
    const told = labFolder.readEvents().map(({ kind, name, what }) => `${kind} ${name} ${what}`);
    expect(told.filter((line) => /^service \w+ ready$/.test(line)).slice(0, 4)).toEqual([
      'service nic ready',
      'service switch ready',
      'service backend ready',
      'service guest ready',
    ]);
    expect(told.at(-1)).toBe('lab test ended');
  });

  it('gives up a lab whose service does not answer at its address, and says what to do', async () => {
    const { supervisor } = open(wanted('embedded'));
    const failure = await supervisor
      .apply(wanted(`{nodes: {nic0: {endpoint: "unix:${folder}/nobody.sock"}}}`))
      .catch((error: unknown) => error);
    expect((failure as Error).message).toMatch(
      /^service nic does not answer at unix:.*; start it there with vhostlab serve nic/,
    );
    expect((await supervisor.ended)?.message).toBe((failure as Error).message);
  });

  it('says that the disk is full, and ends', async () => {
    const labFolder = new LabFolder(folder, 'test');
    labFolder.make();
    symlinkSync('/dev/full', labFolder.file('events.jsonl'));
    const { supervisor } = open(wanted('embedded'));
    await expect(supervisor.apply(wanted('embedded'))).rejects.toThrow(
      /test cannot be written: no space is left on the disk; make room or name another place with --labs/,
    );
    expect(await supervisor.ended).toBeInstanceOf(UsageError);
  });
});

describe('the folder of a lab', () => {
  it('belongs to one living process, and is taken over from a dead one', () => {
    const mine = new LabFolder(folder, 'a');
    mine.make();
    mine.lock(thisProcess());
    expect(() => new LabFolder(folder, 'a').lock(thisProcess())).toThrow(
      /^lab a is up already \(process \d+, .*\/a\); end it with vhostlab lab down a or give the other lab another name$/,
    );
    writeFileSync(mine.file('lock'), JSON.stringify({ pid: process.pid, started: '1' }));
    expect(mine.owner()).toBeUndefined();
    mine.lock(thisProcess());
    expect(mine.owner()).toEqual(thisProcess());
    mine.unlock();
    expect(mine.owner()).toBeUndefined();
  });

  it('has a name that is a file name', () => {
    for (const name of ['..', 'a/b', 'A', '', 'a'.repeat(64)]) {
      expect(() => new LabFolder(folder, name)).toThrow('cannot be brought up');
    }
    expect(() => stateOf(new LabFolder(folder, 'none'))).toThrow('there is no lab none below');
  });

  it('cannot be made where no folder can be', () => {
    expect(() => new LabFolder('/proc/nowhere', 'a').make()).toThrow(/cannot be written: E[A-Z]+; make room/);
  });
});

describe('a watchdog', () => {
  it('tells silence, its end, and that it lasts too long', async () => {
    const said: string[] = [];
    let isSilent = true;
    const watchdog = new Watchdog(
      1_500,
      {
        onStalled: (role) => said.push(`stalled ${role}`),
        onResumed: (role) => {
          said.push(`resumed ${role}`);
        },
        onLost: (role) => {
          said.push(`lost ${role}`);
          watchdog.stop();
        },
        onStuck: () => said.push('stuck'),
      },
      500,
    );
    watchdog.watch([
      { role: 'nic', ask: () => (isSilent ? Promise.reject(new Error('no')) : Promise.resolve()) },
      { role: 'guest', ask: () => Promise.reject(new Error('no')) },
    ]);
    await until(() => said.includes('stalled nic'));
    isSilent = false;
    await until(() => said.includes('lost guest'));
    expect(said).toEqual(['stalled nic', 'stalled guest', 'resumed nic', 'lost guest']);
  });
});

describe('a watchdog of a service whose connection is broken', () => {
  it('does not wait as for one that is silent', async () => {
    const lost = new Promise<string>((resolve) => {
      const watchdog = new Watchdog(
        60_000,
        {
          onStalled: () => undefined,
          onResumed: () => undefined,
          onLost: (role) => {
            watchdog.stop();
            resolve(role);
          },
          onStuck: () => undefined,
        },
        300,
      );
      watchdog.watch([
        { role: 'nic', ask: () => Promise.reject(new ContractError('UNAVAILABLE', 'No service answers.')) },
      ]);
    });
    expect(await lost).toBe('nic');
  });
});

describe('certificates', () => {
  it('are one per role, of one authority, for nothing but that role, and readable by their owner alone', async () => {
    const out = join(folder, 'certs');
    const files = await makeCertificates(out, 7, new Date());
    expect(files).toContain('token');
    const pem = (holder: string, name: string) => readFileSync(join(out, holder, name));
    const ca = new X509Certificate(pem('lab', 'ca.crt'));
    expect(ca.ca).toBe(true);
    for (const holder of CERTIFICATE_HOLDERS) {
      const certificate = new X509Certificate(pem(holder, 'tls.crt'));
      expect(certificate.verify(ca.publicKey)).toBe(true);
      expect(certificate.ca).toBe(false);
      expect(certificate.subjectAltName).toBe(`DNS:${holder}`);
    }
    for (const file of files) expect(statSync(join(out, file)).mode & 0o777, file).toBe(0o600);
    expect(files.some((file) => file.includes('ca.key'))).toBe(false);
    await expect(makeCertificates(out, 7, new Date())).rejects.toThrow('exists already');
  });
});

describe('graph', () => {
  it('is a Mermaid flow chart of places, nodes and links', () => {
    const { topology } = wanted('{default: embedded, nodes: {nic0: process}}').description;
    const nodes = topology.nodes.map((node) => ({ ...node, placement: node.placement.how }));
    expect(mermaidOf({ name: 'x', nodes, links: topology.links as LabState['links'] })).toBe(
      [
        'flowchart LR',
        '  subgraph p0["embedded"]',
        '    n_guest0["guest0<br/>guest"]',
        '    n_backend0["backend0<br/>backend"]',
        '    n_switch0["switch0<br/>switch"]',
        '  end',
        '  subgraph p1["process nic"]',
        '    n_nic0["nic0<br/>nic"]',
        '  end',
        '  station(["station"])',
        '  n_guest0 ---|"vq"| n_backend0',
        '  n_backend0 ---|"upcall"| n_switch0',
        '  n_backend0 ---|"nic - host"| n_nic0',
        '  n_nic0 ---|"wire"| station',
        '',
      ].join('\n'),
    );
  });
});
