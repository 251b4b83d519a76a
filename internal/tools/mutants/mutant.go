package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one way to break the code.
type mutant struct {
	name  string
	patch string // absolute path of the file
	// breaks says what is broken and which promise that breaks: the text above the patch.
	breaks string
	suite  *suite
}

// load reads the named mutants of a directory (all, if only is empty), sorted by name.
func load(dir, only string) ([]mutant, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	if only != "" {
		paths = nil
		for name := range strings.SplitSeq(only, ",") {
			paths = append(paths, filepath.Join(dir, strings.TrimSuffix(strings.TrimSpace(name), ".patch")+".patch"))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no patches", dir)
	}
	slices.Sort(paths)
	all := make([]mutant, len(paths))
	for i, path := range paths {
		if all[i], err = read(path); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func read(path string) (mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return mutant{}, err
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(path), ".patch"), patch: path, suite: simulation}
	if strings.HasPrefix(m.name, "lua-") {
		m.suite = conformance
	}
	var head []string
	var named string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "diff ") {
			break
		}
		if name, isSuite := strings.CutPrefix(strings.TrimSpace(line), "Suite: "); isSuite {
			named = name
			continue
		}
		head = append(head, strings.TrimSpace(line))
	}
	if named != "" {
		i := slices.IndexFunc(suites, func(s *suite) bool { return s.name == named })
		if i < 0 {
			return mutant{}, fmt.Errorf("%s names the suite %q, which does not exist", path, named)
		}
		m.suite = suites[i]
	}
	if m.breaks = strings.TrimSpace(strings.Join(head, " ")); m.breaks == "" {
		return mutant{}, fmt.Errorf("%s does not start with a description of what it breaks", path)
	}
	return m, nil
}
