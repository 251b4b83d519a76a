package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

const (
	binaryUsage = "Kafka's programming model on Redis Streams, for Benthos pipelines - https://github.com/rafka-streams/rafka"
	// documentationURL is where the pages are that the help of the engine's commands links to.
	documentationURL = "https://docs.redpanda.com/redpanda-connect"
)

// examples are those in the help of the engine's commands that name components which this binary
// does not have, and what stands there instead.
var examples = strings.NewReplacer(
	"create kafka//file", "create rafka//rafka",
	"create stdin/bloblang,awk/nats", "create rafka/mapping,http/rafka",
	"create file,http_server/protobuf/http_client", "create file,http_server/mapping/rafka",
)

// printHelp is the parser's own printer for texts that are right for this binary.
func printHelp(w io.Writer, template string, data any) {
	switch shown := data.(type) {
	case *cli.App:
		shown.Usage, shown.Description = binaryUsage, examples.Replace(shown.Description)
	case *cli.Command:
		shown.Description = examples.Replace(shown.Description)
	}
	cli.HelpPrinterCustom(w, template, data, nil)
}
