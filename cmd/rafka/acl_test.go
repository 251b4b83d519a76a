package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestServerAcceptsThePrintedACL(t *testing.T) {
	_, client := startRedis(t)
	for _, args := range []string{
		"acl reader --topic orders --group billing", "acl writer --topic orders",
		"acl writer -t orders -p 8 --minimal", "acl deadletter --topic orders-dead",
		"acl reader --topic orders --group billing --dead-letter orders-dead", "acl admin -t orders", "acl admin",
	} {
		o := rafka(t, strings.Fields(args)...)
		require.Zero(t, o.code, o.stderr)
		assert.Equal(t, 1, strings.Count(o.stdout, "\n"))
		words := strings.Fields(o.stdout)
		assert.Equal(t, []string{"ACL", "SETUSER", "rafka-" + strings.Fields(args)[1], "on", ">PASSWORD"}, words[:5])
		command := make([]any, len(words))
		for i, word := range words {
			command[i] = word
		}
		require.NoError(t, client.Do(t.Context(), command...).Err(), args)

		o = rafka(t, append(strings.Fields(args), "--format", "json", "--user", "ann")...)
		require.Zero(t, o.code, o.stderr)
		var answer acl
		require.NoError(t, json.Unmarshal([]byte(o.stdout), &answer))
		assert.Equal(t, "ann", answer.User)
		assert.Equal(t, words[5:], answer.Rules)
		assert.True(t, strings.HasPrefix(answer.Command, "ACL SETUSER ann on >PASSWORD ~"))
	}
}

func TestACLNamesMissingFlags(t *testing.T) {
	for args, want := range map[string]string{
		"acl reader --group g":                             "--topic is required: the stream_name of the reader",
		"acl reader --topic t":                             "--group is required: the consumer_group of the reader",
		"acl deadletter":                                   "--topic is required: the stream_name of the deadletter",
		"acl writer":                                       "--topic is required: the stream_name of the writer",
		"acl writer --topic a{b":                           "stream_name: \"a{b\" has braces",
		"acl admin orders":                                 "rafka acl admin needs no arguments, got 1: see --help",
		"acl admin --format yaml":                          "--format is \"yaml\": use text or json",
		"acl writer --topic t -p -1":                       "partitions is -1: set it to a number from 1 to 100000",
		"acl reader --topic t --group g --dead-letter a{b": "dead_letter.stream_name: \"a{b\" has braces",
		"acl root":                                         "rafka acl has no command \"root\"",
		"acl reader --topic t --group g --format yaml":     "--format is \"yaml\"",
	} {
		o := rafka(t, strings.Fields(args)...)
		assert.Equal(t, 1, o.code, args)
		assert.Empty(t, o.stdout, args)
		assert.Contains(t, o.stderr, want, args)
	}
}

func TestACLQuotesWordsForRedisCLI(t *testing.T) {
	assert.Equal(t, "~orders:[1-9][0-9]", quote("~orders:[1-9][0-9]"))
	assert.Equal(t, `"~a\\*\"b'"`, quote(`~a\*"b'`))
}

// `rafka acl admin` prints all permissions that the commands need for their topic.
func TestAdminCommandsWorkWithThePrintedACL(t *testing.T) {
	server, client := startRedis(t)
	o := rafka(t, "acl", "admin", "--topic", "orders")
	var line []any
	for word := range strings.FieldsSeq(o.stdout) {
		line = append(line, word)
	}
	require.NoError(t, client.Do(t.Context(), line...).Err())
	t.Setenv("RAFKA_USERNAME", "rafka-admin")
	t.Setenv("RAFKA_PASSWORD", "PASSWORD")
	for _, command := range []string{
		"topic create orders --partitions 2", "topic grow orders --partitions 3", "topic list",
		"topic describe orders", "join", "group list", "group describe billing --topic orders",
		"group skip billing --topic orders --partition 0 --yes", "deadletter list orders", "deadletter show orders",
		"deadletter replay orders --yes", "deadletter purge orders --yes",
		"group seek billing --topic orders --to latest", "topic delete orders --force --yes",
	} {
		if command == "join" {
			add(t, client, "orders:0", "1-1")
			joinGroup(t, client, "orders", "billing", "rafka/host/1", splits.Position{})
			continue
		}
		o := rafka(t, strings.Fields(command)...)
		assert.Zero(t, o.code, "%s: %s", command, o.stderr)
	}
	assert.Empty(t, server.Denied(t))
}
