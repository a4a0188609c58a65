package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// retryWait is how long somebody may take to take a release in again.
const retryWait = 15 * time.Second

func newDLQRetry(env Env) *cobra.Command {
	var f natsFlags
	cmd := &cobra.Command{
		Use: "retry SEQ…", Short: "Publish releases among the dead letters again, once their cause is cured", Args: cobra.MinimumNArgs(1),
		Long: "Retry publishes the release of a dead letter again, on its subject, with its headers, body and id, and says what came of it.\n" +
			"The letter stays, marked. Refused are letters that are no releases, whose body was cut, that would be refused again for\n" +
			"their form, and those overtaken: a release published later was taken in meanwhile. Exit status: 0 all were taken in, 9 some\n" +
			"were refused or nobody took them in, 1 some were not published.",
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := letterNumbers(args)
			if err != nil {
				return err
			}
			r, d, err := lettersOf(cmd.Context(), f, env)
			if err != nil {
				return err
			}
			defer r.close()
			code := exitOK
			for _, seq := range seqs {
				said, failed := retryLetter(cmd.Context(), r, d, seq)
				if failed != nil {
					said, code = failed.Error(), max(code, exitCodeOf(failed))
				}
				fmt.Fprintf(env.Stdout, "%d  %s\n", seq, clean(said))
			}
			if code != exitOK {
				return exitError{code: code}
			}
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

// exitCodeOf is an error's own exit status, or 1.
func exitCodeOf(err error) int {
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	return exitNo
}

// retryLetter publishes a letter's release again and waits for what comes of it.
func retryLetter(ctx context.Context, r *remote, d jetstream.DeadLetters, seq uint64) (string, error) {
	l, err := d.Get(ctx, seq)
	if err != nil {
		return "", err
	}
	again, err := d.Again(l)
	if err != nil {
		return "", err
	}
	last, err := r.reader().Last(ctx, again.Release.Slot)
	if err != nil {
		return "", err
	}
	if newer, overtaken := again.Overtaken(last.State); overtaken {
		return "", fmt.Errorf("not published: %s, published later, has been taken in since; `serin release` makes %s a new release", newer, again.Release.Version)
	}
	return publishAgain(ctx, jetstream.Events{JS: r.js, Names: r.names}, d, again)
}

// publishAgain publishes a release and waits for its answer, which it listens for before.
func publishAgain(ctx context.Context, events jetstream.Events, d jetstream.DeadLetters, again jetstream.Again) (string, error) {
	from, err := events.LatestOf(ctx, again.Release.Slot)
	if err != nil {
		return "", err
	}
	refused := make(chan string, 1)
	stop, err := d.Refusals(again, func(why string) {
		select {
		case refused <- why:
		default:
		}
	})
	if err != nil {
		return "", err
	}
	defer stop()
	duplicate, err := d.Publish(ctx, again)
	if err != nil {
		return "", err
	}
	if duplicate {
		return "", errors.New("not published: this letter was retried within the hour; a refusal made another letter, see `serin dlq list`")
	}
	return outcomeOf(ctx, events, again.Release, from, refused)
}

// outcomeOf waits until a release is taken in or refused.
func outcomeOf(ctx context.Context, events jetstream.Events, rel deployments.Release, from uint64, refused <-chan string) (string, error) {
	limited, cancel := context.WithTimeout(ctx, retryWait)
	defer cancel()
	answered, ended := make(chan deployments.Event, 1), make(chan struct{})
	enough := errors.New("enough")
	go func() {
		defer close(ended)
		_ = events.Follow(limited, jetstream.Filter{Slot: rel.Slot, Release: rel.ID}, from, func(_ uint64, e deployments.Event) error {
			if !strings.HasPrefix(e.Name, "release.") {
				return nil
			}
			answered <- e
			return enough
		})
	}()
	defer func() {
		cancel()
		<-ended
	}()
	subject := "published " + rel.Version + " of " + rel.Slot.String() + " again: "
	select {
	case why := <-refused:
		return "", exitError{code: exitNotAccepted, err: errors.New(subject + "refused: " + why)}
	case e := <-answered:
		return answerOf(subject, e)
	case <-limited.Done():
		if ctx.Err() != nil {
			return "", exitError{code: exitTimeout, err: errors.New(subject + "interrupted before an answer came")}
		}
		return "", exitError{code: exitNotAccepted, err: fmt.Errorf("%snobody took it in within %v: is serin serve running?", subject, retryWait)}
	}
}

// answerOf is what an event says became of a release.
func answerOf(subject string, e deployments.Event) (string, error) {
	said := subject + strings.TrimPrefix(e.Name, "release.")
	if e.Name == "release.rejected" { // the dead letter that comes with it says the same
		said = subject + "refused"
	}
	if e.Data.Reason != "" {
		said += ": " + e.Data.Reason
	}
	if e.Name == "release.rejected" || e.Name == "release.superseded" {
		return "", exitError{code: exitNotAccepted, err: errors.New(said)}
	}
	return said, nil
}
