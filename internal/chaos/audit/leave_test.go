package audit

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/internal/chaos"
)

// leave writes what a run leaves into a directory.
func leave(t *testing.T, dir string, l Left) {
	t.Helper()
	err := errors.Join(chaos.WriteJSON(filepath.Join(dir, chaos.ScriptFile), l.Script), chaos.WriteJSON(filepath.Join(dir, chaos.RunFile), l.Run))
	if err != nil {
		t.Fatal(err)
	}
	var journal, events []chaos.Message
	for _, e := range l.Journal {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		journal = append(journal, chaos.Message{Sequence: e.Sequence, Subject: "serin.journal.0.production.shop", Data: text})
	}
	for _, e := range l.Events {
		msg, err := jetstream.EncodeEvent(jetstream.Names{}, e)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, chaos.Message{Subject: msg.Subject, Header: chaos.Header(msg.Header), Data: msg.Data})
	}
	keep(t, dir, chaos.StreamFile(chaos.JournalStream), journal)
	keep(t, dir, chaos.StreamFile(chaos.EventsStream), events)
	keep(t, dir, chaos.StreamFile(chaos.FlagsStream), l.Flags)
	keep(t, dir, chaos.SubscriberFile, l.Subscriber)
	keep(t, dir, chaos.WebhookFile, l.Webhook)
	keep(t, dir, chaos.EvaluationsFile, l.Evaluations)
}

func keep[T any](t *testing.T, dir, file string, records []T) {
	t.Helper()
	lines, err := chaos.Append(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	for _, r := range records {
		if err := lines.Write(r); err != nil {
			t.Fatal(err)
		}
	}
}
