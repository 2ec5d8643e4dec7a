from lits_toolkit.errors import nearest


def test_the_nearest_name_is_told_however_far_it_is():
    assert nearest("cascde", ["other", "cascade"]) == "the nearest is 'cascade'"
    assert nearest("xyz", iter(["abc"])) == "the nearest is 'abc'"
    assert nearest("xyz", []) == "there is none"
