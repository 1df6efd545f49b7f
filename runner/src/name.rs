//! What the runner's series and their labels are called: OpenTelemetry's semantic conventions where they have a
//! name.

pub(crate) const STEP: &str = "load_test.step";
pub(crate) const METHOD: &str = "http.request.method";
pub(crate) const STATUS_CODE: &str = "http.response.status_code";
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const OUTCOME: &str = "outcome";
pub(crate) const URL: &str = "url.full";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";

/// What samples of requests are called.
pub(crate) const REQUEST: &str = "http.client.request";

pub(crate) const DURATION: &str = "http.client.request.duration";
pub(crate) const REQUEST_SIZE: &str = "http.client.request.body.size";
pub(crate) const RESPONSE_SIZE: &str = "http.client.response.body.size";
pub(crate) const RESPONSE_TIME: &str = "http.client.response_time";
pub(crate) const SCHEDULE_SLIP: &str = "http.client.schedule_slip";
pub(crate) const REQUESTS: &str = "http.client.requests";
pub(crate) const ERRORS: &str = "http.client.errors";
pub(crate) const RECEIVED: &str = "http.client.received";
pub(crate) const SENT: &str = "http.client.sent";
pub(crate) const RETRIES: &str = "http.client.retries";

pub(crate) const USERS: &str = "load_test.virtual_users.active";
pub(crate) const IN_FLIGHT: &str = "load_test.requests.in_flight";
pub(crate) const TARGET_RATE: &str = "load_test.target_rate";
pub(crate) const ITERATIONS: &str = "load_test.iterations";
pub(crate) const ITERATIONS_DROPPED: &str = "load_test.iterations.dropped";
pub(crate) const PHASE: &str = "load_test.phase";
pub(crate) const ELAPSED: &str = "load_test.elapsed";
pub(crate) const START_TIME: &str = "load_test.start_time";
pub(crate) const END_TIME: &str = "load_test.end_time";
pub(crate) const VERDICT: &str = "load_test.verdict";
pub(crate) const EVENTS: &str = "load_test.events";

pub(crate) const TEST_START: &str = "test.start";
pub(crate) const SPAWN_COMPLETE: &str = "spawn.complete";
pub(crate) const STAGE_CHANGE: &str = "stage.change";
pub(crate) const THRESHOLD_BREACHED: &str = "threshold.breached";
pub(crate) const CPU_WARNING: &str = "cpu.warning";
pub(crate) const TEST_STOP: &str = "test.stop";

/// Every kind of event.
pub(crate) const ALL_EVENTS: [&str; 6] =
    [TEST_START, SPAWN_COMPLETE, STAGE_CHANGE, THRESHOLD_BREACHED, CPU_WARNING, TEST_STOP];

/// Labels of events, and of the resource.
pub(crate) const RUN_ID: &str = "load_test.test_run_id";
pub(crate) const TEST_TYPE: &str = "load_test.test_type";
pub(crate) const STATUS: &str = "load_test.status";
pub(crate) const STAGE: &str = "load_test.stage";
pub(crate) const THRESHOLD: &str = "load_test.threshold";

pub(crate) const PROCESS_CPU: &str = "process.cpu.utilization";
pub(crate) const PROCESS_MEMORY: &str = "process.memory.usage";
pub(crate) const SYSTEM_CPU: &str = "system.cpu.utilization";
pub(crate) const SYSTEM_MEMORY: &str = "system.memory.usage";
pub(crate) const NETWORK_IO: &str = "system.network.io";
pub(crate) const NETWORK_DIRECTION: &str = "network.io.direction";
