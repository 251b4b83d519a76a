package main

import (
	"fmt"
	"strings"
	"time"
)

// result is what came of one mutant.
type result struct {
	mutant
	finding
	err  error // why nothing can be said about it
	took time.Duration
}

func (r result) found() bool { return r.err == nil && r.how != "" }

// line is the result for people who wait.
func (r result) line() string {
	switch {
	case r.err != nil:
		return fmt.Sprintf("FAIL   %-40s %v", r.name, r.err)
	case r.how == "":
		return fmt.Sprintf("MISSED %-40s %.0f s", r.name, r.took.Seconds())
	}
	return fmt.Sprintf(
		"found  %-40s %s, %d schedules, %.0f s: %s: %s",
		r.name,
		r.where(),
		r.played,
		r.took.Seconds(),
		r.how,
		r.what,
	)
}

// page is the results as Markdown.
func page(r *runner, results []result) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Mutants\n\n"+
		"Each patch here breaks one rule of the protocols. `make mutants` applies it to a copy of the code and plays schedules until something is\n"+
		"wrong: so the simulation is known to notice. What is found is played again without the mutant, where nothing may be wrong. Patches named\n"+
		"`lua-*` break the scripts, and the suite that all stores pass has to notice on a real server. Those that say `Suite: pipelines`\n"+
		"have to be found by the random pipelines of internal/pipelines.\n\n"+
		"Written by `make mutants N=%d SEED=%d J=%d TABLE=%s/README.md`; the seconds are those of a busy machine, the build included.\n\n"+
		"| mutant | breaks | found | at | schedules | seconds | what was seen first |\n|---|---|---|---|---|---|---|\n",
		r.schedules, r.seed, r.atOnce, patches)
	for _, res := range results {
		how, what := res.how, res.what
		switch {
		case res.err != nil:
			how, what = "**no**", res.err.Error()
		case how == "":
			how = "**no**"
		}
		fmt.Fprintf(&out, "| [%s](%s.patch) | %s | %s | %s | %d | %.0f | %s |\n",
			res.name, res.name, cell(res.breaks), how, res.where(), res.played, res.took.Seconds(), cell(shorten(what)))
	}
	return out.String()
}

// cell makes a text fit into a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}

// longest is how much is shown of what was seen.
const longest = 160

func shorten(text string) string {
	if shown := []rune(text); len(shown) > longest {
		return string(shown[:longest]) + "…"
	}
	return text
}
