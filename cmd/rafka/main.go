// Command rafka runs stream processors with Kafka's programming model on Redis Streams, and
// administers topics and groups.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/redis/go-redis/v9/logging"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/config"
)

const binaryName = "rafka"

func main() {
	tuneGC()
	os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit code: 0 for success, 1 for a failure. The
// commands of this package write to stdout, and an error is one line on stderr. The commands of the
// engine write to the stdout of the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	// go-redis prints failed dials to stderr. They are redundant: a command returns them as its
	// error, and a running stream logs them.
	logging.Disable()
	cli.HelpPrinter = printHelp
	schema := newSchema()
	commands := []*cli.Command{
		topicCommand(schema, stdout),
		groupCommand(schema, stdout),
		deadletterCommand(schema, stdout, stderr),
		checkCommand(schema, stdout, stderr),
		aclCommand(stdout),
		versionCommand(stdout),
	}
	version, date := buildStamps()
	options := []service.CLIOptFunc{
		service.CLIOptSetArgs(flagsFirst(args, commands)...),
		service.CLIOptSetVersion(version, date),
		service.CLIOptSetBinaryName(binaryName),
		service.CLIOptSetProductName(binaryName),
		service.CLIOptSetDocumentationURL(documentationURL),
		service.CLIOptSetDefaultConfigPaths("rafka.yaml", "/rafka.yaml", "/etc/rafka/rafka.yaml", "/etc/rafka.yaml"),
		service.CLIOptSetMainSchemaFrom(newSchema),
		service.CLIOptSetEnvironment(schema.Environment()),
		service.CLIOptOnLoggerInit(func(logger *service.Logger) { config.RouteLogs(logger) }),
		service.CLIOptOnConfigParse(warnAtStart),
	}
	for _, command := range commands {
		options = append(options, service.CLIOptAddCommand(command))
	}
	code, err := service.RunCLIToCode(ctx, options...)
	warnAfterLint(args, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
	}
	return code
}

func buildStamps() (version, date string) {
	info, _ := debug.ReadBuildInfo()
	return stamps(info)
}

// newSchema returns the schema of a whole config with the defaults of this binary and all
// components that are registered at the time.
func newSchema() *service.ConfigSchema {
	version, date := buildStamps()
	schema := service.NewEnvironment().FullConfigSchema(version, date)
	schema.SetFieldDefault(map[string]any{"@service": binaryName}, "logger", "static_fields")
	// The HTTP server shows configs and metrics without a password, so it listens on the network
	// only if the config sets an address.
	schema.SetFieldDefault("127.0.0.1:4195", "http", "address")
	return schema
}
