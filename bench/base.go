package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// buildBase builds the rafka binary of another commit of this repository.
func buildBase(ctx context.Context, dir, commit, binary string) error {
	tree := filepath.Join(dir, "base")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	const script = `git archive --format=tar "$1" | tar -x -C "$2" && cd "$2" && go build -trimpath -o "$3" ./cmd/rafka`
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script, "bash", commit, tree, binary)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building rafka of commit %s: %w\n%s", commit, err, out)
	}
	return os.RemoveAll(tree)
}

// withBase returns the contenders that run rafka, each followed by one that runs the binary of the
// other commit.
func withBase(contenders []contender) []contender {
	others := []string{otherPlain, otherBest, otherWide, engineLimit, clientLimit}
	var all []contender
	for _, c := range contenders {
		if slices.Contains(others, c.name) {
			continue
		}
		all = append(all, c, contender{c.name + baseSuffix, func(ctx context.Context, e *environment) (sample, error) {
			own := e.rafka
			e.rafka = e.base
			defer func() { e.rafka = own }()
			return c.run(ctx, e)
		}})
	}
	return all
}

const baseSuffix = ", base"

// printBase writes the ratio of each value to the value of the other commit: the median of the
// ratios of all rounds.
func printBase(w io.Writer, results []*result) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tcontender\tvalue\tto base")
	for _, r := range results {
		for _, row := range r.Rows {
			if strings.HasSuffix(row.Name, baseSuffix) {
				continue
			}
			for _, value := range slices.Sorted(maps.Keys(row.Values)) {
				ratios := ratiosOf(row.Values[value], r.values(row.Name+baseSuffix, value))
				fmt.Fprintf(
					t,
					"%s\t%s\t%s\t%.3f (%.3f-%.3f)\n",
					r.Name,
					row.Name,
					value,
					median(ratios),
					slices.Min(ratios),
					slices.Max(ratios),
				)
			}
		}
	}
	_ = t.Flush()
}
