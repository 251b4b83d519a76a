package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

const (
	binaryUsage = "Kafka's programming model on Redis Streams, for Benthos pipelines - " +
		"https://github.com/rafka-streams/rafka"
	// documentationURL is the site that the help of the engine's commands links to.
	documentationURL = "https://docs.redpanda.com/redpanda-connect"
)

// examples replaces examples in the help of the engine's commands that name components which this
// binary does not have.
var examples = strings.NewReplacer(
	"create kafka//file", "create rafka//rafka",
	"create stdin/bloblang,awk/nats", "create rafka/mapping,http/rafka",
	"create file,http_server/protobuf/http_client", "create file,http_server/mapping/rafka",
)

// printHelp prints help with the parser's own printer, after correcting the texts for this binary.
func printHelp(w io.Writer, template string, data any) {
	switch shown := data.(type) {
	case *cli.App:
		shown.Usage, shown.Description = binaryUsage, examples.Replace(shown.Description)
	case *cli.Command:
		shown.Description = examples.Replace(shown.Description)
	}
	cli.HelpPrinterCustom(w, template, data, nil)
}
