package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is the compiled tests of a suite.
type program struct {
	suite  *suite
	binary string
	dir    string // of the package, where the tests expect to run
}

// build copies the module, applies the patch if there is one, and compiles the tests of the suite.
func (r *runner) build(ctx context.Context, m mutant) (program, error) {
	dir := filepath.Join(r.scratch, m.name)
	if err := copyModule(ctx, dir); err != nil {
		return program{}, fmt.Errorf("copying the module: %w", err)
	}
	if m.patch != "" {
		if err := command(ctx, dir, "git", "apply", m.patch); err != nil {
			return program{}, fmt.Errorf("the patch does not apply: %w", err)
		}
	}
	p := program{
		suite:  m.suite,
		binary: filepath.Join(dir, m.suite.name+".test"),
		dir:    filepath.Join(dir, m.suite.folder),
	}
	// With -trimpath, unchanged packages come from the build cache although every copy is in a
	// different directory.
	if err := command(
		ctx,
		dir,
		"go",
		"test",
		"-c",
		"-trimpath",
		"-ldflags=-s -w",
		"-o",
		p.binary,
		"./"+m.suite.folder,
	); err != nil {
		return program{}, fmt.Errorf("it does not compile: %w", err)
	}
	return p, nil
}

// copyModule copies the files that git tracks, as they are in the work tree.
func copyModule(ctx context.Context, to string) error {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z").Output()
	if err != nil {
		return fmt.Errorf("listing the files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return err
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, fs.FileMode(0o600)); err != nil {
			return err
		}
	}
	return nil
}

// command runs a command in a directory; its error contains the output.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// Git must not find a repository around the directory: git apply would skip files that are not
	// in that repository.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
