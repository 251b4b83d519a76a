package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"
)

const (
	flagEnvFile   = "env-file"
	flagResources = "resources"
	flagTemplates = "templates"
	flagSet       = "set"
)

func checkCommand(schema *service.ConfigSchema, stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "Lint configs and test the connections of their inputs and outputs",
		ArgsUsage: "CONFIG...",
		Description: "Reads, writes and creates nothing. The exit code is 1 if a config has lints or a connection " +
			"fails.\n\n  {{.BinaryName}} check ./rafka.yaml",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: []cli.Flag{
			&cli.DurationFlag{
				Name:  flagTimeout,
				Value: 30 * time.Second,
				Usage: "how long the connections of one config may take",
			},
			&cli.StringSliceFlag{
				Name: flagResources, Aliases: []string{"r"},
				Usage: "pull in extra resources from a file, supports glob patterns (requires quotes)",
			},
			&cli.StringSliceFlag{
				Name:    flagEnvFile,
				Aliases: []string{"e"},
				Usage:   "import environment variables from a dotenv file",
			},
			&cli.StringSliceFlag{
				Name:    flagTemplates,
				Aliases: []string{"t"},
				Usage:   "import templates, supports glob patterns (requires quotes)",
			},
			&cli.StringSliceFlag{
				Name:    flagSet,
				Aliases: []string{"s"},
				Usage: `set a field (identified by a dot path) in each config, ` +
					`e.g. "input.rafka.url=redis://localhost:6379"`,
			},
		},
		Action: func(c *cli.Context) error {
			if err := loadEnvFiles(c.StringSlice(flagEnvFile)); err != nil {
				return err
			}
			if err := loadTemplates(schema.Environment(), c.StringSlice(flagTemplates)); err != nil {
				return err
			}
			check, err := newCheck(schema, c, stdout, stderr)
			if err != nil {
				return err
			}
			return check.all(c.Context, c.Args().Slice())
		},
	}
}

// loadEnvFiles sets the variables of dotenv files, as `run -e` does.
func loadEnvFiles(patterns []string) error {
	paths, err := service.Globs(service.OSFS(), patterns...)
	if err != nil {
		return fmt.Errorf("finding env files: %w", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading env file: %w", err)
		}
		variables, err := service.ParseEnvFile(text)
		if err != nil {
			return fmt.Errorf("parsing env file %s: %w", path, err)
		}
		for name, value := range variables {
			if err := os.Setenv(name, value); err != nil {
				return fmt.Errorf("setting %s of env file %s: %w", name, path, err)
			}
		}
	}
	return nil
}

// check checks configs one after another.
type check struct {
	schema         *service.ConfigSchema
	resources      []string
	overrides      overrides
	timeout        time.Duration
	stdout, stderr io.Writer
}

func newCheck(schema *service.ConfigSchema, c *cli.Context, stdout, stderr io.Writer) (*check, error) {
	resources, err := service.Globs(service.OSFS(), c.StringSlice(flagResources)...)
	if err != nil {
		return nil, fmt.Errorf("finding resource files: %w", err)
	}
	set, err := parseOverrides(c.StringSlice(flagSet))
	if err != nil {
		return nil, err
	}
	return &check{
		schema:    schema,
		resources: resources,
		overrides: set,
		timeout:   c.Duration(flagTimeout),
		stdout:    stdout,
		stderr:    stderr,
	}, nil
}

// all checks every config, even if one fails.
func (k *check) all(ctx context.Context, patterns []string) error {
	paths, err := service.Globs(service.OSFS(), patterns...)
	if err != nil {
		return fmt.Errorf("finding configs: %w", err)
	}
	if len(paths) == 0 {
		return errors.New("no config to check: name at least one file")
	}
	failed := 0
	for _, path := range paths {
		ok, err := k.one(ctx, path)
		if err != nil {
			_, _ = fmt.Fprintf(k.stderr, "%s: %s\n", path, oneLine(err))
		}
		if !ok {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d configs failed the check", failed, len(paths))
	}
	return nil
}

// one checks one config. It returns an error if the connections could not be tested at all.
func (k *check) one(ctx context.Context, path string) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	stream, err := k.build(path)
	if err != nil {
		return false, err
	}
	results, err := stream.ConnectionTest(ctx)
	if err != nil {
		return false, err
	}
	ok = true
	for _, result := range results {
		name := cmp.Or(result.Label, strings.Join(result.Path, "."))
		switch {
		case result.Err == nil:
			_, _ = fmt.Fprintf(k.stdout, "%s: %s: ok\n", path, name)
		case errors.Is(result.Err, service.ErrConnectionTestNotSupported):
			_, _ = fmt.Fprintf(k.stdout, "%s: %s: not tested, the component does not support it\n", path, name)
		default:
			ok = false
			_, _ = fmt.Fprintf(k.stdout, "%s: %s: %s\n", path, name, oneLine(result.Err))
		}
	}
	return ok, nil
}

// build lints a config and its resources and returns a stream of them. The stream is never started.
func (k *check) build(path string) (*service.Stream, error) {
	text, err := k.lint(path, k.overrides.mayFix)
	if err != nil {
		return nil, err
	}
	builder := k.schema.Environment().NewStreamBuilder()
	builder.SetSchema(k.schema)
	builder.DisableLinting() // lint has done it; StreamBuilder does not report missing variables
	builder.SetHTTPMux(noEndpoints{})
	builder.SetLogger(slog.New(warnings{to: k.stdout, path: path}))
	if err := builder.SetYAML(text); err != nil {
		return nil, err
	}
	if err := k.override(builder); err != nil {
		return nil, err
	}
	for _, warning := range textWarnings(text) {
		_, _ = fmt.Fprintf(k.stdout, "%s: warning: %s\n", path, warning)
	}
	for _, resource := range k.resources {
		text, err := k.lint(resource, ignoreNone)
		if err != nil {
			return nil, fmt.Errorf("resource file %s: %w", resource, err)
		}
		if err := builder.AddResourcesYAML(text); err != nil {
			return nil, fmt.Errorf("resource file %s: %w", resource, err)
		}
	}
	return builder.Build()
}

// lint reads a config. The error has all lints except the ignored ones.
func (k *check) lint(path string, ignore func(service.Lint) bool) (text string, err error) {
	read, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return string(read), k.lintText(read, ignore)
}

func (k *check) lintText(text []byte, ignore func(service.Lint) bool) error {
	lints, err := k.schema.NewStreamConfigLinter().LintYAML(text)
	if err != nil {
		return err
	}
	var errs []string
	for _, lint := range lints {
		if !ignore(lint) {
			errs = append(errs, lint.Error())
		}
	}
	if len(errs) > 0 {
		return errors.New(strings.Join(errs, "; "))
	}
	return nil
}

// override sets the fields that --set names, and lints the resulting config.
func (k *check) override(builder *service.StreamBuilder) error {
	if len(k.overrides) == 0 {
		return nil
	}
	if err := builder.SetFields(k.overrides...); err != nil {
		return fmt.Errorf("--%s: %w", flagSet, err)
	}
	text, err := builder.AsYAML()
	if err != nil {
		return err
	}
	if err := k.lintText([]byte(text), ignoreNone); err != nil {
		return fmt.Errorf("with --%s: %w", flagSet, err)
	}
	return nil
}

// noEndpoints ignores the HTTP endpoints of a stream that does not run.
type noEndpoints struct{}

// HandleFunc does nothing.
func (noEndpoints) HandleFunc(string, func(http.ResponseWriter, *http.Request)) {}
