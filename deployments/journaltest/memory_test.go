package journaltest_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryIsAJournal(t *testing.T) {
	journaltest.Run(t, func(*testing.T) deployments.Journal { return &journaltest.Memory{} })
}

func TestAnEntryThatFailsIsNotStored(t *testing.T) {
	refused := errors.New("disk full")
	m := &journaltest.Memory{Fail: func(deployments.Entry) error { return refused }}
	if _, err := m.Append(t.Context(), journaltest.Entry(journaltest.Slots(0, 1)[0], 1, 0)); !errors.Is(err, refused) {
		t.Errorf("append: %v, want %v", err, refused)
	}
	if n := len(m.Entries()); n != 0 {
		t.Errorf("%d entries are stored, want none", n)
	}
}

func TestAnEntryWhoseAnswerIsLostIsStored(t *testing.T) {
	lost := errors.New("crash")
	m := &journaltest.Memory{After: func(deployments.Entry) error { return lost }}
	if _, err := m.Append(t.Context(), journaltest.Entry(journaltest.Slots(0, 1)[0], 1, 0)); !errors.Is(err, lost) {
		t.Errorf("append: %v, want %v", err, lost)
	}
	if n := len(m.Entries()); n != 1 {
		t.Errorf("%d entries are stored, want 1", n)
	}
}
