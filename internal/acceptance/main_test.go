package acceptance

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
	if err := flag.Set("test.parallel", "6"); err != nil { // tests of outages mostly wait
		panic(err)
	}
	config.RouteLogs((*service.Logger)(nil)) // go-redis logs errors about servers that were killed on purpose
	// Benthos never closes the streams whose connections it tests. A stream that was started and
	// not stopped leaves more goroutines than this one.
	goleak.VerifyTestMain(
		m,
		goleak.IgnoreTopFunction(
			"github.com/redpanda-data/benthos/v4/internal/component/output.(*AsyncWriter).WaitForClose",
		),
	)
}
