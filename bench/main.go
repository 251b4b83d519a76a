// Command bench compares rafka with redis_streams, with a bare client, and with Benthos without any
// service, on servers that it starts. README.md describes the cases.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

func main() {
	names := flag.String("case", "", "cases to run, separated by commas; empty: all")
	rounds := flag.Int("rounds", 5, "runs of each contender, interleaved")
	scale := flag.Float64("scale", 1, "factor on the number of messages and on durations")
	base := flag.String("base", "", "a commit: compare rafka only with the binary of that commit, in turns")
	file := flag.String("json", "", "file for the results as JSON")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, strings.FieldsFunc(*names, func(r rune) bool { return r == ',' }), *rounds, *scale, *base, *file)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string, rounds int, scale float64, base, file string) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rafka-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := build(ctx, dir, scale, base)
	if err != nil {
		return err
	}
	var results []*result
	for _, c := range chosen {
		began := time.Now()
		r, err := c.measure(ctx, e, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.print(os.Stdout)
		fmt.Fprintf(os.Stderr, "%s took %s\n", c.name, time.Since(began).Round(time.Second))
		results = append(results, r)
	}
	if base != "" {
		printBase(os.Stdout, results)
	} else {
		printAims(os.Stdout, results)
	}
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(map[string]any{
		"date": time.Now().UTC().Format(
			time.RFC3339,
		),
		"cpus":   runtime.NumCPU(),
		"rounds": rounds,
		"scale":  scale,
		"cases":  results,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
