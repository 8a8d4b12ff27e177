"""__NAME__: joins the wire and the guest, and keeps each frame for delayNs nanoseconds."""
import json, os, signal, subprocess, sys, tempfile, threading
from concurrent import futures
from pathlib import Path

import grpc

HERE = Path(__file__).resolve().parent
NAME, SUMMARY, WIRE, FIRST_GUEST = '__NAME__', 'wire and guest joined, in Python', 1, 10
SCHEMA = {'type': 'object', 'additionalProperties': False,
          'properties': {'delayNs': {'type': 'number', 'minimum': 0, 'maximum': 1e9}}}

# messages by protoc, calls by generic handlers
GENERATED = Path(tempfile.mkdtemp(prefix='vhostlab-python-'))
subprocess.run(['protoc', f'-I{HERE}/proto', f'--python_out={GENERATED}',
                *map(str, (HERE / 'proto').rglob('*.proto'))], check=True)
sys.path.insert(0, str(GENERATED))
from vhostlab.backend.v1 import backend_pb2 as backend, burst_pb2 as burst  # noqa: E402
from vhostlab.common.v1 import common_pb2 as common, plan_pb2 as plan  # noqa: E402

Code, VERSION = grpc.StatusCode, common.Version(major=0, minor=1, patch=0)


class Instance:
    def __init__(self, options):
        self.delay_ps = int(options.get('delayNs', 0) * 1000)
        self.started, self.sequence, self.now_ps, self.joined = False, 0, 0, 0

    def burst(self, request):
        self.sequence, self.now_ps = request.sequence, request.now_ps
        self.joined += len(request.frames)
        to = FIRST_GUEST if request.port == WIRE else WIRE
        outputs = [burst.Output(port=to, source=i, delay_ps=self.delay_ps) for i in range(len(request.frames))]
        charge = burst.Charge(op='switch.parse', count=max(1, len(request.frames)))
        return burst.ExchangeResponse(sequence=request.sequence, outputs=outputs, charges=[charge])


class Plugin:
    shaken, instances = False, {}

    def Handshake(self, request, context):
        caller, versions = request.hello, {1} & set(request.hello.protocol_versions)
        clocks = [c for c in (common.CLOCK_VIRTUAL, common.CLOCK_REAL) if c in caller.clocks]
        if not caller.instance_id:
            context.abort(Code.INVALID_ARGUMENT, 'A handshake needs a hello with an instance id.')
        if not versions or not clocks:
            context.abort(Code.FAILED_PRECONDITION, f'{NAME} speaks version 1 on either clock; the host speaks '
                          f'{list(caller.protocol_versions)} on {list(caller.clocks)}.')
        self.shaken = True
        return backend.HandshakeResponse(hello=common.Hello(
            protocol_versions=versions, instance_id=f'{NAME}-{os.getpid()}', name=NAME, version=VERSION,
            clocks=clocks, process_id=os.getpid()))

    def Describe(self, request, context):
        return backend.DescribeResponse(description=common.Description(
            name=NAME, summary=SUMMARY, version=VERSION, config_schema_json=json.dumps(SCHEMA)))

    def GetCapabilities(self, request, context):
        if not self.shaken:
            context.abort(Code.FAILED_PRECONDITION, 'The first call must be Handshake.')
        return backend.GetCapabilitiesResponse(capabilities=[
            common.Capability(name='depth.burst', support=common.SUPPORT_OFFERED)])

    def faults(self, text):
        try:
            options = json.loads(text or '{}')
        except ValueError as error:
            return [('config_json', f'It is not JSON: {error}.')]
        if not isinstance(options, dict):
            return [('config_json', 'It is JSON, but not an object.')]
        if not isinstance(delay := options.get('delayNs', 0), (int, float)) or not 0 <= delay <= 1e9:
            return [('delayNs', 'It must be a number from 0 to 10^9.')]
        return [(key, f'Option "{key}" is unknown.') for key in options if key not in SCHEMA['properties']]

    def ValidateConfig(self, request, context):
        return backend.ValidateConfigResponse(diagnostics=[
            common.Diagnostic(severity=common.SEVERITY_ERROR, field=field, summary=summary)
            for field, summary in self.faults(request.config.config_json)])

    def Create(self, request, context):
        config, faults = request.config, self.faults(request.config.config_json)
        if faults:
            context.abort(Code.INVALID_ARGUMENT, ': '.join(faults[0]))
        if config.id in self.instances:
            context.abort(Code.ALREADY_EXISTS, f'An instance "{config.id}" exists already.')
        self.instances[config.id] = Instance(json.loads(config.config_json or '{}'))
        return backend.CreateResponse(plan=plan.PlanPart())

    def find(self, id, context):
        if id not in self.instances:
            context.abort(Code.NOT_FOUND, f'There is no instance "{id}".')
        return self.instances[id]

    def Start(self, request, context):
        if (instance := self.find(request.id, context)).started:
            context.abort(Code.FAILED_PRECONDITION, f'Instance "{request.id}" is started already; stop it first.')
        instance.started = True
        return backend.StartResponse(state=common.INSTANCE_STATE_STARTED)

    def Stop(self, request, context):
        self.find(request.id, context).started = False
        return backend.StopResponse(state=common.INSTANCE_STATE_STOPPED)

    def Destroy(self, request, context):
        self.find(request.id, context)
        del self.instances[request.id]
        return backend.DestroyResponse()

    def GetStatistics(self, request, context):
        instance = self.find(request.id, context)
        return backend.GetStatisticsResponse(statistics=common.Statistics(
            at_ps=instance.now_ps, counters=[common.CounterValue(name='frames.joined', value=instance.joined)]))

    def Exchange(self, requests, context):
        for request in requests:
            instance = self.find(request.id, context)
            if not instance.started or request.sequence != instance.sequence + 1:
                context.abort(Code.INVALID_ARGUMENT if instance.started else Code.FAILED_PRECONDITION,
                              f'Burst {request.sequence} follows {instance.sequence}; started: {instance.started}.')
            yield instance.burst(request)


def serve():
    if os.environ.get('VHOSTLAB_PLUGIN_COOKIE') is None:
        sys.exit(f'{NAME} is a vhostlab plugin; start it with: vhostlab plugin run --package {HERE}')
    plugin, listen = Plugin(), os.environ.get('VHOSTLAB_PLUGIN_LISTEN', '127.0.0.1:0')
    size = [('grpc.max_receive_message_length', 64 << 20), ('grpc.max_send_message_length', 64 << 20)]
    server = grpc.server(futures.ThreadPoolExecutor(32), options=size)
    make = lambda kind, call, module: kind(getattr(plugin, call), getattr(module, f'{call}Request').FromString,
                                           getattr(module, f'{call}Response').SerializeToString)
    calls = [method.name for method in backend.DESCRIPTOR.services_by_name['BackendService'].methods]
    server.add_generic_rpc_handlers([
        grpc.method_handlers_generic_handler('vhostlab.backend.v1.BackendService', {
            call: make(grpc.unary_unary_rpc_method_handler, call, backend) for call in calls}),
        grpc.method_handlers_generic_handler('vhostlab.backend.v1.BurstService', {
            'Exchange': make(grpc.stream_stream_rpc_method_handler, 'Exchange', burst)})])
    port = server.add_insecure_port(listen)
    server.start()
    place = f'unix|{listen[5:]}' if listen.startswith('unix:') else f'tcp|{listen.rsplit(":", 1)[0]}:{port}'
    print(f'1|1|{place}|grpc', flush=True)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    if 'VHOSTLAB_PLUGIN_STDIN' in os.environ:  # standard input ends with the host
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), over.set()), daemon=True).start()
    over.wait()
    server.stop(1).wait()


serve()
