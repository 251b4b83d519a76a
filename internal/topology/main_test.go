package topology

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
	if err := flag.Set("test.parallel", "4"); err != nil { // servers that elect a master mostly wait
		panic(err)
	}
	config.RouteLogs((*service.Logger)(nil)) // go-redis logs errors about servers that were killed on purpose
	goleak.VerifyTestMain(m)
}
