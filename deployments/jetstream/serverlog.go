package jetstream

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// serverLog hands the embedded server's log lines to slog. A notice is debug: a start alone has twenty of them.
type serverLog struct {
	log    *slog.Logger
	fatal  chan<- string // the first line the server means to die of
	broken chan<- string // the first line that says it writes no more
}

func (l serverLog) line(level slog.Level, format string, v []any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "nats server", "line", fmt.Sprintf(format, v...))
	}
}

func (l serverLog) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l serverLog) Warnf(format string, v ...any)   { l.line(slog.LevelWarn, format, v) }
func (l serverLog) Debugf(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }
func (l serverLog) Tracef(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }

// Fatalf does not end the process: Embed returns the line as an error.
func (l serverLog) Fatalf(format string, v ...any) {
	l.line(slog.LevelError, format, v)
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

// Errorf hears of a stream that the server cannot write: it tries no more then, whatever becomes of the disk.
func (l serverLog) Errorf(format string, v ...any) {
	l.line(slog.LevelError, format, v)
	if !strings.Contains(format, "critical write error") {
		return
	}
	select {
	case l.broken <- fmt.Sprintf(format, v...):
	default:
	}
}
