from tunewright.seeds import draws, final_seed, tuning_seed


def test_no_seed_of_the_final_evaluation_is_one_of_a_trial() -> None:
    for study in (0, 1, 42, 2**31 - 1, 2**60):
        trials = {tuning_seed(study, n) for n in range(1000)}
        final = {final_seed(study, i) for i in range(1000)}
        assert len(trials) == len(final) == 1000
        assert max(trials) < 2**30 <= min(final)
        assert max(final) < 2**31


def test_seeds_are_those_that_earlier_versions_gave() -> None:
    assert [tuning_seed(0, n) for n in range(3)] == [0, 1, 2]
    assert tuning_seed(3, 7) == 3 * 7919 + 7
    assert final_seed(3, 7) == 2**30 + 3 * 7919 + 7


def test_draws_are_the_same_again_and_differ_by_study_trial_and_purpose() -> None:
    assert draws(1, 2, "fit").random() == draws(1, 2, "fit").random()
    others = [draws(2, 2, "fit"), draws(1, 3, "fit"), draws(1, 2, "suggest")]
    assert len({draws(1, 2, "fit").random(), *(other.random() for other in others)}) == 4
