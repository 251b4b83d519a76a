package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/proctest"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

func TestConfigsOfPagesLintAndConnect(t *testing.T) {
	server := redistest.Start(t)
	configs := 0
	for _, page := range pages(t) {
		for _, config := range blocks(document(t, page), "yaml") {
			configs++
			assert.Empty(t, lint(t, config), page)
			here := strings.ReplaceAll(config, "redis://localhost:6379", server.URL())
			require.NotEqual(t, config, here, "%s has a config that names no server", page)
			o := rafka(t, "check", writeFile(t, "page.yaml", here))
			assert.Zero(t, o.code, "%s: %s\n%s", page, o.stdout, o.stderr)
		}
	}
	assert.GreaterOrEqual(t, configs, 4)
}

func TestProgramsOfPagesCompile(t *testing.T) {
	for _, page := range pages(t) {
		for _, program := range blocks(document(t, page), "go") {
			command := exec.Command("go", "vet", writeFile(t, "main.go", program))
			command.Dir = repository
			out, err := command.CombinedOutput()
			assert.NoError(t, err, "%s: %s", page, out)
		}
	}
}

// TestCommandsOfPagesRun runs the commands of each page on a server of its own, in their order.
func TestCommandsOfPagesRun(t *testing.T) {
	ran := map[string]bool{}
	for _, page := range pages(t) {
		var commands [][]string
		for line := range strings.Lines(strings.Join(blocks(document(t, page), "sh"), "")) {
			command, _, _ := strings.Cut(line, " #")
			if args := strings.Fields(command); len(args) > 1 && args[0] == binaryName {
				commands = append(commands, args[1:])
				ran[strings.Join(args[1:min(3, len(args))], " ")] = true
			}
		}
		if len(commands) > 0 {
			t.Run(page, func(t *testing.T) { runCommands(t, commands) })
		}
	}
	for _, want := range []string{
		"topic create", "topic grow", "topic list", "topic describe", "topic delete",
		"group list", "group describe", "group seek", "group skip", "group delete",
		"deadletter list", "deadletter show", "deadletter replay", "deadletter purge",
		"check my-config.yaml", "acl reader", "run config/examples/produce.yaml", "run config/examples/consume.yaml",
	} {
		assert.True(t, ran[want], "no page shows rafka %s", want)
	}
}

func runCommands(t *testing.T, commands [][]string) {
	t.Helper()
	server := redistest.Start(t)
	root, err := filepath.Abs(repository)
	require.NoError(t, err)
	config := strings.ReplaceAll(blocks(document(t, "README.md"), "yaml")[0], "redis://localhost:6379", server.URL())
	t.Setenv("RAFKA_URL", server.URL())
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("my-config.yaml", []byte(config), 0o600))
	group := broker.NewGroup(server.Client(t), "orders", "billing")

	var running []*proctest.Process
	for _, args := range commands {
		switch strings.Join(args[:2], " ") {
		case "group describe":
			if len(running) == 0 { // and so no member
				_, err := group.Beat(t.Context(), splits.Beat{Member: "rafka/host/1", TTL: time.Hour})
				require.NoError(t, err)
			}
		case "deadletter list":
			writeLetter(t, server.Client(t), args[2])
		case "group skip":
			readFirst(t, server.Client(t))
		case "group convert", "group delete":
			require.NoError(t, group.Leave(t.Context(), "rafka/host/1"))
		case "topic delete":
			for _, p := range running {
				p.Terminate(t)
			}
		}
		if args[0] == "run" {
			p := start(t, []string{"RAFKA_URL=" + server.URL()}, "run", filepath.Join(root, args[1]))
			running = append(running, p)
			continue
		}
		succeeds := func() bool {
			o := rafka(t, args...)
			return o.code == 0 && o.stderr == ""
		}
		if len(running) == 0 {
			o := rafka(t, args...)
			assert.Zero(t, o.code, "%v: %s%s", args, o.stdout, o.stderr)
			assert.Empty(t, o.stderr, args)
		} else { // which takes a moment to have an effect
			require.Eventually(t, succeeds, proctest.Timeout, proctest.Poll, args)
		}
	}
}

// writeLetter writes a dead letter of topic orders, which exists then.
func writeLetter(t *testing.T, client *redis.Client, topic string) {
	t.Helper()
	id := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: []string{"body", "x"}}).Val()
	require.NoError(t, broker.NewLetters(client, topic).Write(t.Context(), broker.Letter{
		Fields: []string{
			"body",
			"x",
		},
		Origin: broker.Origin{Topic: "orders", Offset: id, Group: "billing", Error: "HTTP 422"},
	}))
}

// readFirst adds an entry to partition 0 of topic orders, and makes group billing read it.
func readFirst(t *testing.T, client *redis.Client) {
	t.Helper()
	topic, err := broker.NewTopics(client).Describe(t.Context(), "orders")
	require.NoError(t, err)
	split := topic.Split(0)
	require.NoError(
		t,
		client.XAdd(t.Context(), &redis.XAddArgs{Stream: split.Key, Values: []string{"body", "x"}}).Err(),
	)
	_, err = broker.NewGroup(client, "orders", "billing").Beat(
		t.Context(), splits.Beat{Member: "rafka/host/1", TTL: time.Hour})
	require.NoError(t, err)
	leases := broker.NewLeases(client, broker.LeasesOptions{Topic: "orders", Group: "billing"})
	claim := splits.Claim{Split: split, Start: splits.Earliest()}
	require.NoError(t, leases.Claim(t.Context(), "rafka/host/1", time.Millisecond, []splits.Claim{claim})[0].Err)
}

func TestCommandsNamedInPagesExist(t *testing.T) {
	makefile := document(t, "Makefile")
	help := rafka(t, "topic", "list", "--help").stdout
	variable := regexp.MustCompile(`^RAFKA_[A-Z_]+$`)
	checked := map[string]bool{}
	for _, page := range pages(t) {
		text := document(t, page)
		for _, span := range slices.Concat(code(text), strings.Split(strings.Join(blocks(text, "sh"), ""), "\n")) {
			words := strings.Fields(span)
			if len(words) < 2 && !variable.MatchString(span) || checked[span] {
				continue
			}
			checked[span] = true
			switch {
			case variable.MatchString(span):
				assert.True(t, strings.Contains(help, "[$"+span+"]") || span == redistest.BinaryEnv,
					"%s: no command takes %s", page, span)
			case words[0] == "make":
				assert.Contains(t, makefile, "\n"+words[1]+": ", "%s: %s", page, span)
			case words[0] == binaryName:
				commandExists(t, words[1:])
			}
			for _, word := range words {
				if strings.HasPrefix(word, "config/examples/") || strings.HasPrefix(word, "scripts/") {
					assert.FileExists(t, filepath.Join(repository, word), "%s: %s", page, span)
				}
			}
		}
	}
}

// commandExists expects that the words begin with a command: that it has a help text of its own.
func commandExists(t *testing.T, words []string) {
	t.Helper()
	path := words[:1]
	if slices.Contains([]string{"topic", "group", "deadletter", "acl"}, words[0]) {
		path = words[:min(2, len(words))]
	}
	p := start(t, nil, append(slices.Clone(path), "--help")...)
	p.Succeeds(t)
	assert.Contains(t, p.Stdout.String(), "rafka "+strings.Join(path, " ")+" - ", "rafka %q", words)
	if words[0] == "create" {
		start(t, nil, words...).Succeeds(t)
	}
}
