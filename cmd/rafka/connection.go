package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/rafka-streams/rafka/config"
)

const (
	flagConfig = "config"
	defaultURL = "redis://127.0.0.1:6379"
)

// connectionFields maps flags to the fields that they set.
var connectionFields = map[string]string{
	"url": "url", "kind": "kind", "master": "master",
	"username": "username", "password": "password",
	"sentinel-username": "sentinel_username", "sentinel-password": "sentinel_password",
}

// tlsFields maps flags to the fields of `tls` that they set.
var tlsFields = map[string]string{"tls-ca": "root_cas_file", "tls-skip-verify": "skip_cert_verify"}

// connectionFlags returns the flags for the connection to Redis.
func connectionFlags() []cli.Flag {
	flag := func(name, env, value, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, EnvVars: []string{env}, Value: value, Usage: usage, Category: "Connection:"}
	}
	return []cli.Flag{
		flag("url", "RAFKA_URL", defaultURL, "the address of Redis; several, separated by commas, for a cluster or "+
			"Sentinels"),
		flag("kind", "RAFKA_KIND", "", "simple, cluster or failover"),
		flag("master", "RAFKA_MASTER", "", "the name of the master of kind failover"),
		flag("username", "RAFKA_USERNAME", "", "the user to authenticate as"),
		flag(
			"password",
			"RAFKA_PASSWORD",
			"",
			"the user's password; prefer the variable, since other users can see the flags of a process",
		),
		flag("sentinel-username", "RAFKA_SENTINEL_USERNAME", "", "the user to authenticate as with the Sentinels"),
		flag("sentinel-password", "RAFKA_SENTINEL_PASSWORD", "", "the user's password for the Sentinels"),
		&cli.BoolFlag{
			Name:     "tls",
			EnvVars:  []string{"RAFKA_TLS"},
			Usage:    "use TLS, as a URL rediss:// does",
			Category: "Connection:",
		},
		flag("tls-ca", "RAFKA_TLS_CA", "", "a file with root certificates to trust"),
		flag("tls-cert", "RAFKA_TLS_CERT", "", "a file with the client's certificate"),
		flag("tls-key", "RAFKA_TLS_KEY", "", "a file with the key of the client's certificate"),
		&cli.BoolFlag{
			Name:     "tls-skip-verify",
			Usage:    "do not verify the certificate of the server",
			Category: "Connection:",
		},
		&cli.StringFlag{
			Name:     flagConfig,
			Category: "Connection:",
			Usage: "take the connection from the first rafka input or output of a config `FILE`, instead of from " +
				"the flags above",
		},
	}
}

// parseConnection returns the connection that the flags describe. It converts them to the fields of
// a component, so that flags and fields get the same checks.
func parseConnection(c *cli.Context, schema *service.ConfigSchema) (*config.Connection, error) {
	text, err := connectionYAML(c, schema)
	if err != nil {
		return nil, err
	}
	parsed, err := service.NewConfigSpec().Fields(config.ConnectionFields()...).ParseYAML(text, schema.Environment())
	if err != nil {
		return nil, err
	}
	connection, err := config.ParseConnection(parsed)
	if err != nil {
		return nil, err
	}
	if connection.Embedded() {
		return nil, errors.New(
			"url: an embedded:// server is inside the process that runs a config, and commands can't connect to it: " +
				"set the URL of a Redis server",
		)
	}
	return connection, nil
}

func connectionYAML(c *cli.Context, schema *service.ConfigSchema) (string, error) {
	if path := c.String(flagConfig); path != "" {
		return configuredConnection(path, schema)
	}
	fields := map[string]any{}
	for flag, field := range connectionFields {
		if value := c.String(flag); value != "" {
			fields[field] = value
		}
	}
	if tls := tlsSettings(c); len(tls) > 0 {
		tls["enabled"] = true
		fields["tls"] = tls
	}
	text, err := json.Marshal(fields) // JSON is YAML
	return string(text), err
}

func tlsSettings(c *cli.Context) map[string]any {
	settings := map[string]any{}
	if c.Bool("tls") {
		settings["enabled"] = true
	}
	for flag, field := range tlsFields {
		if c.IsSet(flag) {
			settings[field] = c.Value(flag)
		}
	}
	if c.IsSet("tls-cert") || c.IsSet("tls-key") {
		settings["client_certs"] = []any{
			map[string]any{"cert_file": c.String("tls-cert"), "key_file": c.String("tls-key")},
		}
	}
	return settings
}

// configuredConnection returns the fields of the first rafka input or output in a config file. It
// resolves variables in the file.
func configuredConnection(path string, schema *service.ConfigSchema) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading --%s: %w", flagConfig, err)
	}
	builder := schema.Environment().NewStreamBuilder()
	builder.SetSchema(schema)
	builder.DisableLinting()
	if err := builder.SetYAML(string(text)); err != nil {
		return "", fmt.Errorf("reading --%s %s: %w", flagConfig, path, err)
	}
	found := ""
	err = builder.WalkComponents(func(w *service.WalkedComponent) error {
		isRafka := w.Name == "rafka" && (w.ComponentType == "input" || w.ComponentType == "output")
		if !isRafka || found != "" {
			return nil
		}
		component, err := w.ConfigAny()
		if err != nil {
			return err
		}
		fields, _ := component.(map[string]any)
		encoded, err := json.Marshal(fields["rafka"])
		found = string(encoded)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading --%s %s: %w", flagConfig, path, err)
	}
	if found == "" {
		return "", fmt.Errorf(
			"--%s %s has no rafka input or output: set --url instead",
			flagConfig,
			path,
		)
	}
	return found, nil
}
