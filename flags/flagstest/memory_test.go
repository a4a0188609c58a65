package flagstest

import (
	"testing"

	"github.com/serin-cd/serin/flags"
)

func TestMemoryIsAStore(t *testing.T) {
	Run(t, func(*testing.T) flags.Store { return &Memory{} })
}
