package audit

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/internal/chaos"
)

// Read reads what a run has left in a directory.
func Read(dir string) (Left, error) {
	var l Left
	if err := chaos.ReadJSON(filepath.Join(dir, chaos.ScriptFile), &l.Script); err != nil {
		return l, err
	}
	if err := chaos.ReadJSON(filepath.Join(dir, chaos.RunFile), &l.Run); err != nil {
		return l, err
	}
	var journal, events []chaos.Message
	for _, err := range []error{
		lines(dir, chaos.StreamFile(chaos.JournalStream), &journal),
		lines(dir, chaos.StreamFile(chaos.EventsStream), &events),
		lines(dir, chaos.StreamFile(chaos.FlagsStream), &l.Flags),
		lines(dir, chaos.StreamFile(chaos.DLQStream), &l.Dead),
		lines(dir, chaos.StoreFile, &l.Store),
		lines(dir, chaos.SubscriberFile, &l.Subscriber),
		lines(dir, chaos.WebhookFile, &l.Webhook),
		lines(dir, chaos.EvaluationsFile, &l.Evaluations),
		lines(dir, chaos.FaultsFile, &l.Faults),
	} {
		if err != nil {
			return l, err
		}
	}
	sortCalls(l.Store)
	return l, l.decode(journal, events)
}

func lines[T any](dir, file string, into *[]T) (err error) {
	*into, err = chaos.ReadLines[T](filepath.Join(dir, file))
	return err
}

func (l *Left) decode(journal, events []chaos.Message) error {
	for _, m := range journal {
		var e deployments.Entry
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return fmt.Errorf("journal %d: %w", m.Sequence, err)
		}
		e.Sequence = m.Sequence
		l.Journal = append(l.Journal, e)
	}
	for _, m := range events {
		e, err := jetstream.DecodeEvent(jetstream.Names{}, m.Subject, nats.Header(m.Header), m.Data)
		if err != nil {
			return fmt.Errorf("event %d: %w", m.Sequence, err)
		}
		l.Events = append(l.Events, e)
	}
	return nil
}
