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
	registerProbes()
	goleak.VerifyTestMain(m)
}
