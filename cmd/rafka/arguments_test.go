package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/urfave/cli/v2"
)

func TestFlagsMayFollowArguments(t *testing.T) {
	commands := []*cli.Command{
		{
			Name: "check",
			Flags: []cli.Flag{
				&cli.DurationFlag{Name: "timeout"},
				&cli.StringSliceFlag{Name: "resources", Aliases: []string{"r"}},
			},
		},
		{Name: "topic", Subcommands: []*cli.Command{{Name: "create", Flags: []cli.Flag{
			&cli.IntFlag{Name: "partitions"}, &cli.BoolFlag{Name: "tls"},
		}}}},
	}
	for given, want := range map[string]string{
		"rafka":                           "",
		"rafka run check.yaml --set a=b":  "",
		"rafka topic":                     "",
		"rafka run check --set a=b":       "",
		"rafka topic list --partitions 3": "rafka topic --partitions -- list 3",
		"rafka topic create orders --tls --partitions -- x":   "rafka topic create --tls --partitions",
		"rafka check a.yaml -r":                               "rafka check -r",
		"rafka topic create orders":                           "",
		"rafka topic create --partitions 3 orders":            "rafka topic create --partitions 3 -- orders",
		"rafka topic create orders --partitions 3":            "rafka topic create --partitions 3 -- orders",
		"rafka topic create orders --partitions=3 --tls more": "rafka topic create --partitions=3 --tls -- orders more",
		"rafka topic create orders --tls -- --partitions":     "rafka topic create --tls -- orders --partitions",
		"rafka topic create orders --unknown 3 --tls":         "rafka topic create --unknown --tls -- orders 3",
		"rafka topic create orders --partitions":              "rafka topic create --partitions",
		"rafka topic create - --tls":                          "rafka topic create --tls -- -",
		"rafka topic create orders --help":                    "rafka topic create --help -- orders",
		"rafka -e .env check a.yaml -r b.yaml --timeout 3s c": "rafka -e .env check -r b.yaml --timeout 3s -- a.yaml c",
	} {
		if want == "" {
			want = given
		}
		assert.Equal(t, want, strings.Join(flagsFirst(strings.Fields(given), commands), " "), given)
	}
}
