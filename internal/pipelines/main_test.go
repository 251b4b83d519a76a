package pipelines

import (
	"flag"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"go.uber.org/goleak"

	"github.com/rafka-streams/rafka/config"
	_ "github.com/rafka-streams/rafka/input"
	_ "github.com/rafka-streams/rafka/output"
)

func TestMain(m *testing.M) {
	flag.Parse()
	config.RouteLogs((*service.Logger)(nil))
	registerComponents()
	// After a hard stop the engine leaves goroutines that wait forever for acknowledgements.
	const benthos = "github.com/redpanda-data/benthos/v4/internal/"
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction(benthos+"component/output/batcher.(*Impl).loop.func4"),
		goleak.IgnoreAnyFunction(benthos+"pipeline.(*Processor).loop"),
		goleak.IgnoreAnyFunction(benthos+"pipeline.(*Processor).WaitForClose"), // of an abandoned loop
		// read_until waits for the end of an input that it made and did not start.
		goleak.IgnoreAnyFunction(benthos+"impl/pure.(*readUntilInput).loop.func1"),
		goleak.IgnoreAnyFunction("github.com/Jeffail/shutdown.(*Signaller).SoftStopCtx.func1"),
		goleak.IgnoreAnyFunction("github.com/Jeffail/shutdown.(*Signaller).HardStopCtx.func1"),
	)
}
