"""What reports may have to say: names that would do harm if anything trusted them, and very many classes."""

import numpy as np

from noiselayer.report.content import Answer, ClassErrors, Note, ReportContent, StageLosses, Suspect

HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><img src=x onerror='window.hacked = 2'>",
    "\"'`&amp;${window.hacked = 3}{{ 7 * 7 }}",
    "x" * 10_000,
    "\u202eתוית \u2067עם כיוון",
    "new\nline, and comma",
)


def many_classes(K: int, *, seed: int = 0) -> ReportContent:
    """A dense noise matrix: nothing about it is easy to press into a small file."""
    generator = np.random.default_rng(seed)
    Q = 0.6 * np.eye(K) + 0.4 * generator.dirichlet(np.full(K, 0.3), size=K).T
    return ReportContent(
        title=f"{K} classes",
        facts=[f"{K} classes."],
        class_names=[f"class {k}" for k in range(K)],
        noise_matrix=Q,
        errors=[ClassErrors(f"class {k}", 100, 40.0) for k in range(K)],
    )


def hostile_content() -> ReportContent:
    """Names, ids and cells that would do harm if anything ran or trusted them."""
    K = len(HOSTILE)
    suspects = [
        Suspect(k, HOSTILE[(k + 2) % K], k, (k + 1) % K, 0.9, cells=((HOSTILE[k], HOSTILE[(k + 3) % K]),))
        for k in range(K)
    ]
    suspects.append(Suspect(K, "text", 0, 1, 0.8, text=HOSTILE[1]))
    return ReportContent(
        title=HOSTILE[1],
        facts=HOSTILE,
        class_names=HOSTILE,
        figures=[(HOSTILE[0], HOSTILE[3])],
        noise_matrix=0.7 * np.eye(K) + 0.3 * np.roll(np.eye(K), 1, axis=0),
        standard_error=np.full((K, K), 0.02),
        stages=[StageLosses(HOSTILE[0], (1.0, 0.9), (1.1, 1.0), joined=1, best=1)],
        noise_floor=0.6,
        total=ClassErrors("all", 100, 20.0, 10.0, 30.0, 15),
        answers=[Answer(HOSTILE[0], 5.0), Answer(HOSTILE[1], 20.0, 10.0, 30.0)],
        answers_note=HOSTILE[1],
        errors=[ClassErrors(name, 10, 3.0, 1.0, 6.0) for name in HOSTILE],
        notes=[Note(HOSTILE[0], HOSTILE[1], 0.01)],
        suspects=suspects,
        suspects_note=HOSTILE[2],
        apply_command=HOSTILE[1],
        details=[(HOSTILE[0], HOSTILE[1])],
    )
