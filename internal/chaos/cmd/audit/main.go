package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/internal/chaos/audit"
)

// shown is how many findings of a run are printed.
const shown = 10

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: audit DIR...: the directories of chaos runs, below bin/chaos")
		os.Exit(2)
	}
	status := 0
	for _, dir := range os.Args[1:] {
		clean, err := report(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, "audit:", err)
			os.Exit(2)
		}
		if !clean {
			status = 1
		}
	}
	os.Exit(status)
}

func report(dir string) (clean bool, err error) {
	left, err := audit.Read(dir)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", dir, err)
	}
	result := audit.Audit(left)
	if err := write(dir, result.Findings); err != nil {
		return false, err
	}
	return result.Clean(), json.NewEncoder(os.Stdout).Encode(result)
}

func write(dir string, findings []audit.Finding) error {
	path := filepath.Join(dir, "findings.jsonl")
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	lines, err := chaos.Append(path)
	if err != nil {
		return err
	}
	defer lines.Close()
	for i, f := range findings {
		if i < shown {
			fmt.Fprintf(os.Stderr, "%s: %s\n", f.Kind, f.What)
		}
		if err := lines.Write(f); err != nil {
			return err
		}
	}
	if n := len(findings) - shown; n > 0 {
		fmt.Fprintf(os.Stderr, "and %d more in %s\n", n, path)
	}
	return nil
}
