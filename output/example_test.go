package output_test

import (
	"context"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/rafka-streams/rafka/input"
	_ "github.com/rafka-streams/rafka/output"
)

// main runs the command line of Benthos with all imported components.
func main() { service.RunCLI(context.Background()) }

// A Benthos build of your own has the components of rafka if it imports the two packages. Configs
// can then use the input and the output under the name "rafka".
func Example() {
	main()
}
