package bench

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"espalier/torch"
	"espalier/torch/disk"
)

//go:embed peers
var peers embed.FS

// parityRequirements are those of bench/parity/setup.sh, which makes its environment in the same folder.
//
//go:embed parity/requirements.txt
var parityRequirements []byte

// noPeer says why there is no Python side.
type noPeer struct{ why string }

func (e *noPeer) Error() string { return "no comparison with PyTorch: " + e.why }

// WritePeers puts the programs of bench/peers into a folder.
func WritePeers(folder string) error {
	sub, err := fs.Sub(peers, "peers")
	if err != nil {
		return err
	}
	return os.CopyFS(folder, sub)
}

// PeersPrint is the SHA-256, in hexadecimal, of these programs and of what they require.
func PeersPrint() (string, error) {
	all := sha256.New()
	err := fs.WalkDir(peers, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(peers, name)
		fmt.Fprintf(all, "%s %d:%s", name, len(text), text)
		return err
	})
	return hex.EncodeToString(all.Sum(nil)), err
}

// Python finds the interpreter of a virtual environment that has what the programs of bench/peers require. The first time, it makes
// one in the user's cache folder, which takes a minute or more.
func Python(ctx context.Context, say func(string)) (python string, err error) {
	requirements, err := peers.ReadFile("peers/requirements.txt")
	if err != nil {
		return "", err
	}
	return environment(ctx, "bench", "PyTorch and Torch-Pruning", requirements, say)
}

// withTransformers is as Python, with the package transformers.
func withTransformers(ctx context.Context, say func(string)) (python string, err error) {
	return environment(ctx, "parity", "PyTorch and transformers", parityRequirements, say)
}

// pythonOn is the machine's own python3, where its PyTorch computes on a device.
func pythonOn(ctx context.Context, on torch.Device) (python string, err error) {
	const python3 = "python3"
	probe := "import sys, torch; torch.ones(1, device=sys.argv[1])"
	if out, err := exec.CommandContext(ctx, python3, "-c", probe, on.String()).CombinedOutput(); err != nil {
		return "", &noPeer{fmt.Sprintf("python3 does not compute on %v: %s", on, lastLine(string(out), err))}
	}
	return python3, nil
}

func environment(ctx context.Context, name, what string, requirements []byte, say func(string)) (python string, err error) {
	pinned, _, _ := strings.Cut(string(requirements), "\n")
	if want := "torch==" + torch.Version(); pinned != want {
		return "", &noPeer{fmt.Sprintf("the environment %s asks for %s, and this program runs on libtorch %s", name, pinned, torch.Version())}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", &noPeer{err.Error()}
	}
	key := sha256.Sum256(requirements)
	folder := filepath.Join(cache, "espalier", name+"-"+hex.EncodeToString(key[:6]))
	lock, err := disk.LockContext(ctx, folder+".lock", disk.Exclusive)
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", &noPeer{err.Error()}
	}
	defer lock.Unlock()
	python, whole := filepath.Join(folder, "bin", "python"), filepath.Join(folder, "whole")
	if _, err := os.Stat(whole); err == nil {
		return python, nil
	}
	if err := disk.RemoveAll(folder); err != nil { // what an interrupted run left
		return "", err
	}
	if _, err := exec.LookPath("python3"); err != nil {
		return "", &noPeer{"python3 is not installed"}
	}
	say(fmt.Sprintf("fetching %s for the comparison (%s) into %s, once: 5 GB, some minutes", what, pinned, folder))
	begun := time.Now()
	for _, command := range [][]string{
		{"python3", "-m", "venv", folder},
		// pip's cache would keep the wheels a second time.
		append([]string{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"}, strings.Fields(string(requirements))...),
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", &noPeer{fmt.Sprintf("`%s` failed: %s", strings.Join(command, " "), lastLine(string(out), err))}
		}
	}
	say(fmt.Sprintf(what+" are there after %.0f s", time.Since(begun).Seconds()))
	return python, disk.Write(whole, nil)
}

// lastLine is what a failed program said last, which tells most; without output, the error.
func lastLine(out string, err error) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return err.Error()
}
